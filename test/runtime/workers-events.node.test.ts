import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningGateway, startWorkerdGateway } from '../gateways.ts';
import { eventually, recordedRequests, startCall, testEnvironment } from '../support.ts';

const METRICS_KEY = 'metrics-key-of-the-tests-0123456789';
const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const env = testEnvironment({ METRICS_KEY, LOG_LEVEL: 'debug' });
const lines: string[] = [];
let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startWorkerdGateway(env, undefined, { withAnalytics: true, traces: true, onLog: (line) => lines.push(line) });
});
afterAll(() => gateway.close());

type TraceEvent = {
  spanContext: { traceId: string; spanId: string };
  event: { type: string; name?: string; spanId?: string; info?: { name: string; value: unknown }[] };
};

/** The spans of the calls so far, with what they hold and what they are in. */
function spans() {
  const events = lines.map((line) => JSON.parse(line) as TraceEvent).filter(({ spanContext }) => spanContext);
  return events
    .filter(({ event }) => event.type === 'spanOpen')
    .map(({ spanContext, event }) => {
      const own = events.filter((other) => other.spanContext.spanId === event.spanId && other.event.type === 'attributes');
      const attributes = Object.fromEntries(own.flatMap((other) => other.event.info ?? []).map(({ name, value }) => [name, value]));
      return { name: event.name, id: event.spanId, parent: spanContext.spanId, traceId: spanContext.traceId, attributes };
    });
}

test('/metrics is 404 on Workers, and says what to use instead', async () => {
  const response = await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${METRICS_KEY}` } });
  expect(response.status).toBe(404);
  expect(await response.text()).toContain('ANALYTICS');
});

test.each([
  ['chat_completion', {}, 'chat gpt-6-luna'],
  // In a Durable Object.
  ['generate_image', { size: '64x64' }, 'image_generation gpt-image-2'],
])('%s and its upstream request are spans, one within the other', async (tool, args, upstream) => {
  const send = (request: Request) => fetch(request);
  const { response, result } = startCall(send, tool, { prompt: 'trace', ...args }, { url: gateway.url, meta: { traceparent: PARENT } });
  expect((await result).isError).toBeUndefined();
  const client = await eventually(() =>
    spans().find(({ name, attributes }) => name === upstream && 'gen_ai.usage.input_tokens' in attributes),
  );
  const server = await eventually(() => spans().find(({ id, attributes }) => id === client?.parent && 'gateway.outcome' in attributes));
  expect(server).toMatchObject({
    name: `tools/call ${tool}`,
    attributes: {
      'gen_ai.tool.name': tool,
      'gateway.request_id': (await response).headers.get('x-request-id'),
      'gateway.outcome': 'ok',
      traceparent: PARENT,
    },
  });
  const sent = (await recordedRequests(env.OPENAI_API_KEY ?? '')).at(-1);
  expect(sent?.headers.traceparent).toContain(client?.traceId);
});

test('the binding of Analytics Engine takes the data points', () => {
  expect(lines.filter((line) => line.includes('"event":"tool_call"'))).not.toEqual([]);
  expect(lines.filter((line) => line.includes('sink_failed'))).toEqual([]);
});
