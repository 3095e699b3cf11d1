import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CLIENT_KEY, fuzzEnvironment, problemsOf, secretsIn } from './fuzz/problems.ts';
import { type FuzzRequest, fuzzRequests, type ToolDefinition } from './fuzz/requests.ts';
import { createFuzzUpstream } from './fuzz/responses.ts';
import { createTestApp, testRuntime } from './support.ts';

const SEED = 20_261_124;
const RUNS = 3_000;
const ORIGIN = 'http://upstream.test';
/** So fast that no wait of the gateway is one of the test. */
const CLOCK_SPEED = 1_000_000;
/** Beyond any call on that clock. */
const NEVER_MS = 1e12;

const respond = createFuzzUpstream(SEED);

/** Upstream and storage, without a socket. */
const upstream: typeof fetch = async (input, init) => {
  const request = new Request(input, init);
  const key = request.headers.get('authorization')?.replace('Bearer ', '') ?? '';
  const { status, headers, body } = respond({ method: request.method, url: request.url, body: await request.text(), key });
  return new Response(status === 204 || request.method === 'HEAD' ? null : body, { status, headers });
};

test(`${RUNS} requests of every kind are answered, whatever the upstream answers (seed ${SEED})`, { timeout: 120_000 }, async () => {
  const runtime = testRuntime({ fetch: upstream, fetchPublic: upstream, heartbeatMs: NEVER_MS }, CLOCK_SPEED);
  const { app, logged } = createTestApp(fuzzEnvironment(ORIGIN), runtime);
  const authorized = { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' };
  const list = await app.request('/mcp', { method: 'POST', headers: authorized, body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' });
  const { tools } = ((await list.json()) as { result: { tools: ToolDefinition[] } }).result;
  expect(tools.length).toBeGreaterThan(4);
  await fc.assert(
    fc.asyncProperty(fuzzRequests(tools, CLIENT_KEY), async (request: FuzzRequest) => {
      logged.length = 0;
      const response = await app.request(request.path, { method: request.method, headers: request.headers, body: request.body });
      const text = await response.text();
      expect([...problemsOf(request, response.status, text), ...logged.flatMap(secretsIn)]).toEqual([]);
    }),
    { seed: SEED, numRuns: RUNS, interruptAfterTimeLimit: 10_000 },
  );
});
