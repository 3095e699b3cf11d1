import { expect, test } from 'vitest';
import { retryAfterSeconds } from '../src/http-semantics.ts';

test.each([
  [{}, undefined],
  [{ 'retry-after': '20' }, 20],
  [{ 'retry-after': '0' }, 0],
  [{ 'retry-after': 'soon' }, undefined],
  [{ 'retry-after': 'Fri, 31 Dec 1999 23:59:59 GMT', date: 'Fri, 31 Dec 1999 23:59:29 GMT' }, 30],
  [{ 'retry-after': 'Fri, 31 Dec 1999 23:59:59 GMT', date: 'Sat, 01 Jan 2000 00:00:00 GMT' }, 0],
  [{ 'retry-after': 'Fri, 31 Dec 1999 23:59:59 GMT' }, undefined],
  [{ 'retry-after-ms': '1', 'retry-after': '20' }, 1],
])('%j asks for %s seconds', (headers, seconds) => {
  expect(retryAfterSeconds(new Headers(headers as Record<string, string>))).toBe(seconds);
});
