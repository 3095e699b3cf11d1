import { expect, test } from 'vitest';
import { retryAfterSeconds, retryRefused } from '../../src/openai/retry-refused.ts';

/** A server that answers with these, one after the other. */
function setUp(...answers: [status: number, headers?: Record<string, string>][]) {
  const waits: number[] = [];
  let requests = 0;
  const fetch = retryRefused(
    async () => {
      const [status, headers = {}] = answers[requests++] ?? [200];
      return new Response(null, { status, headers });
    },
    async (ms) => void waits.push(ms),
  );
  return { fetch, waits, requests: () => requests };
}

test('429 and 503 are tried again, twice at most', async () => {
  const { fetch, waits, requests } = setUp([429], [503], [429], [200]);
  expect((await fetch('https://example.com')).status).toBe(429);
  expect(waits).toEqual([500, 1000]);
  expect(requests()).toBe(3);
});

test.each([400, 401, 408, 409, 500, 502, 504])('%i may have been charged, and is not tried again', async (status) => {
  const { fetch, requests } = setUp([status]);
  expect((await fetch('https://example.com')).status).toBe(status);
  expect(requests()).toBe(1);
});

test('the wait that the server asks for is kept, up to ten seconds', async () => {
  const short = setUp([429, { 'retry-after': '3' }], [429, { 'retry-after-ms': '1500' }]);
  expect((await short.fetch('https://example.com')).status).toBe(200);
  expect(short.waits).toEqual([3000, 2000]);
  const long = setUp([429, { 'retry-after': '11' }]);
  expect((await long.fetch('https://example.com')).status).toBe(429);
  expect(long.waits).toEqual([]);
});

test('x-should-retry: false is obeyed', async () => {
  const { fetch, requests } = setUp([429, { 'x-should-retry': 'false' }]);
  expect((await fetch('https://example.com')).status).toBe(429);
  expect(requests()).toBe(1);
});

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
