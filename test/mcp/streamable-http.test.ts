import { expect, test } from 'vitest';
import { createStreamableHttp } from '../../src/mcp/streamable-http.ts';
import { readAnswer, testRuntime } from '../support.ts';

const message = { jsonrpc: '2.0', id: 7, method: 'tools/list' };
const request = () => new Request('http://localhost/mcp', { method: 'POST', headers: { 'content-type': 'application/json' } });

test.each([
  ['at once', false, 500],
  // By then the status has been sent.
  ['late', true, 200],
])('an unexpected error raised %s is returned and logged', async (_, late, status) => {
  const { heartbeatMs, lastByteMs, ...clock } = testRuntime();
  let sleeps = 0;
  const errors: string[] = [];
  const broken = createStreamableHttp(
    () => {
      throw new Error('a bug');
    },
    {
      clock: { ...clock, sleep: async (ms, signal) => (late && sleeps++ === 0 ? undefined : clock.sleep(ms, signal)) },
      heartbeatMs,
      lastByteMs,
      onError: () => {},
      onCancelled: async () => {},
      onBug: (error, requestId) => errors.push(error.message, requestId),
    },
  );
  const response = await broken(request(), message, { requestId: 'request-1', principal: { id: 'p', name: 'p', limits: {} } });
  expect(response.status).toBe(status);
  expect(await readAnswer(response)).toMatchObject({ error: { code: -32603, data: { request_id: 'request-1' } } });
  expect(errors).toContain('a bug');
  expect(errors).toContain('request-1');
});
