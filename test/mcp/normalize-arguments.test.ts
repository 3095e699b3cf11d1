import { describe, expect, test } from 'vitest';
import { normalizeArguments } from '../../src/mcp/normalize-arguments.ts';

const schema = {
  type: 'object',
  required: ['input'],
  properties: {
    input: { type: 'string' },
    count: { type: 'integer' },
    ratio: { type: 'number' },
    flag: { type: 'boolean' },
    level: { type: 'string', enum: ['low', 'high'] },
    stop: { type: 'array', items: { type: 'string' } },
    bias: { type: 'object', additionalProperties: { type: 'integer' } },
    anything: { type: 'object', additionalProperties: true },
    messages: {
      type: 'array',
      items: {
        type: 'object',
        required: ['role'],
        properties: { role: { type: 'string' }, content: { type: 'string' }, urls: { type: 'array', items: { type: 'string' } } },
      },
    },
  },
};
const normalized = (args: unknown) => normalizeArguments(args, { schema, aliases: { total: 'count' } });

describe('rewritten', () => {
  test.each([
    ['null and "" leave an optional argument unset', { count: null, ratio: '', stop: '', messages: null }, {}],
    ['numbers in text', { count: '8', ratio: ' -0.50 ' }, { count: 8, ratio: -0.5 }],
    ['a whole number with a fraction of zero', { count: '8.0' }, { count: 8 }],
    ['booleans in text', { flag: 'True' }, { flag: true }],
    ['the case of an option', { level: ' HIGH' }, { level: 'high' }],
    ['one string for a list', { stop: 'END' }, { stop: ['END'] }],
    ['an alias', { total: '8' }, { count: 8 }],
    ['an alias of an argument that is unset', { total: 8, count: null }, { count: 8 }],
    ['an alias that is unset', { total: null, count: 8 }, { count: 8 }],
    ['values of a map', { bias: { 50256: '-100' } }, { bias: { 50256: -100 } }],
    ['"" for a nested list', { messages: [{ role: 'user', content: '', urls: '' }] }, { messages: [{ role: 'user', content: '' }] }],
    ['nested values', { messages: [{ role: 'user', content: null, urls: 'x' }] }, { messages: [{ role: 'user', urls: ['x'] }] }],
  ])('%s', (_, args, expected) => {
    expect(normalized(args)).toEqual(expected);
  });
});

describe('left to the strict check', () => {
  test.each([
    ['a required argument', { input: '' }],
    ['null for a required argument', { input: null }],
    ['no number', { count: 'eight', ratio: '0x10' }],
    ['exponents, infinity and more digits than a number holds', { count: '1e3', ratio: 'Infinity' }],
    ['more digits than a number holds', { count: '12345678901234567890' }],
    ['numbers for booleans', { flag: 1 }],
    ['yes', { flag: 'yes' }],
    ['numbers for text', { input: 5 }],
    ['unknown arguments', { other: null, constructor: '', toString: '5' }],
    ['an alias beside its argument', { total: 1, count: 2 }],
    ['free-form objects', { anything: { a: '5', b: null, c: '' } }],
    ['"" in nested objects', { messages: [{ role: 'assistant', content: '' }] }],
    ['an object for text', { level: { low: true } }],
  ])('%s', (_, args) => {
    expect(normalized(args)).toEqual(args);
  });

  test.each([['text'], [5], [[1]]])('arguments that are no object: %j', (args) => {
    expect(normalized(args)).toEqual(args);
  });

  test('__proto__ stays a name like any other', () => {
    const args = JSON.parse('{"__proto__": "5", "bias": {"__proto__": "5"}}');
    expect(JSON.stringify(normalized(args))).toBe('{"__proto__":"5","bias":{"__proto__":5}}');
  });
});
