import { expect, test } from 'vitest';
import { repeatedNames } from '../src/json-names.ts';

test.each([
  ['{}', []],
  ['{"a": {"b": 1, "c": "b\\": {,"}, "b": [{"b": 1}, {"b": 2}]}', []],
  ['{"a": 1, "\\u0061": 2}', [{ name: 'a', depth: 1, top: 'a' }]],
  ['{"x": [1, {"a": 1, "b": {"a": 2}, "a": "}"}], "y": {"a": 1}}', [{ name: 'a', depth: 3, top: 'x' }]],
])('%s', (json, names) => {
  expect(repeatedNames(json)).toEqual(names);
});
