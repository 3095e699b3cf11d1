import { expect, test } from 'vitest';
import { nearestName } from '../src/nearest-name.ts';

const KNOWN = ['prompt', 'system_prompt', 'top_p', 'n', 'size', 'max_completion_tokens'];

test.each([
  ['promt', 'prompt'],
  ['systemPrompt', 'system_prompt'],
  ['top-P', 'top_p'],
  ['sizes', 'size'],
  ['max_completion_token', 'max_completion_tokens'],
  ['duration', undefined],
  ['x', undefined],
  ['', undefined],
  ['__proto__', undefined],
  ['prompt'.repeat(10_000), undefined],
])('%s means %s', (name, expected) => {
  expect(nearestName(name, KNOWN)).toBe(expected);
});
