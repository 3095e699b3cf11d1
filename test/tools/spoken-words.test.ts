import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deviationOf } from '../../src/tools/spoken-words.ts';

test.each([
  ['Hello, world!', 'hello world'],
  ['Café — “naïve”…', 'cafe naive'],
  ['', ''],
  ['你好，世界。', '你好 世界'],
])('%j is what %j says', (text, transcript) => {
  expect(deviationOf(text, transcript)).toBeUndefined();
});

test.each([
  ['one two three', 'one three', { differing: 1, of: 3 }],
  ['one two three', 'one two three four five', { differing: 2, of: 3 }],
  ['one two three', 'three two one', { differing: 2, of: 3 }],
  ['one two', '', { differing: 2, of: 2 }],
])('%j is not what %j says', (text, transcript, deviation) => {
  expect(deviationOf(text, transcript)).toEqual(deviation);
});

test('any words equal themselves, and a word fewer is one that differs', () => {
  const words = fc.array(fc.constantFrom('a', 'b', 'c', 'dd'), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(words, fc.nat(), (all, at) => {
      expect(deviationOf(all.join(' '), all.join(', '))).toBeUndefined();
      expect(deviationOf(all.join(' '), all.toSpliced(at % all.length, 1).join(' '))).toEqual({ differing: 1, of: all.length });
    }),
  );
});
