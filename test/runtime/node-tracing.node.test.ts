import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDayIndex } from '../../src/jobs/day-index.ts';
import { type RunningNodeGateway, startNodeGateway } from '../gateways.ts';
import { newSecret, setUpSealed } from '../jobs/sealed.ts';
import { parseMetrics } from '../prometheus.ts';
import { CLIENT_HEADERS, eventually, queueFaults, recordedRequests, release, startCall, testEnvironment, testRuntime } from '../support.ts';
import { CLIENT, ERROR, SERVER, startOtlpReceiver } from './otlp.ts';

const METRICS_KEY = 'metrics-key-of-the-tests-0123456789';
const SETUP = fileURLToPath(new URL('tracing-setup.ts', import.meta.url));
const secret = newSecret();
const env = testEnvironment({ METRICS_KEY, STATE_SECRET: secret });
const account = env.OPENAI_API_KEY ?? '';
const lines: string[] = [];
let receiver: Awaited<ReturnType<typeof startOtlpReceiver>>;
let gateway: RunningNodeGateway;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  const otel = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
  gateway = await startNodeGateway({ ...env, ...otel }, undefined, undefined, ['--import', SETUP]);
  if (gateway.log) createInterface(gateway.log).on('line', (line) => lines.push(line));
});
afterAll(async () => {
  await gateway.close();
  receiver.close();
});

const newId = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes)).toHex();

/** A parent as a client would name it. */
function newParent() {
  const [traceId, spanId] = [newId(16), newId(8)];
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-01` };
}

type Options = Parameters<typeof startCall>[3];
const call = (name: string, args: object, options: Options) =>
  startCall((request) => fetch(request), name, args, { url: gateway.url, ...options });

const spansOf = (traceId: string) => receiver.spans.filter((span) => span.traceId === traceId);
const received = (traceId: string, count: number) =>
  eventually(() => (spansOf(traceId).length >= count ? spansOf(traceId) : undefined)) as Promise<typeof receiver.spans>;

test('a call is a span within the one that its _meta names, and its upstream request is within the call', async () => {
  const { traceId, spanId, traceparent } = newParent();
  const headers = { 'mcp-protocol-version': '2025-11-25', traceparent: newParent().traceparent };
  const { response, result } = call('chat_completion', { prompt: 'Hello' }, { id: 'id-1', meta: { traceparent }, headers });
  const { usage } = (await result).structuredContent;
  const spans = await received(traceId, 2);
  expect(spans).toHaveLength(2);
  const [server, client] = [SERVER, CLIENT].map((kind) => spans.find((span) => span.kind === kind));
  expect(server).toMatchObject({ name: 'tools/call chat_completion', parentSpanId: spanId });
  expect(server?.attributes).toEqual({
    'mcp.method.name': 'tools/call',
    'mcp.protocol.version': '2025-11-25',
    'jsonrpc.request.id': 'id-1',
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.name': 'chat_completion',
    'gateway.request_id': (await response).headers.get('x-request-id'),
    'gateway.principal': 'default',
    'gateway.outcome': 'ok',
  });
  const { hostname, port } = new URL(env.OPENAI_BASE_URL ?? '');
  expect(client).toMatchObject({ name: 'chat gpt-6-luna', parentSpanId: server?.spanId });
  expect(client?.attributes).toEqual({
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': 'gpt-6-luna',
    'gen_ai.usage.input_tokens': usage.prompt_tokens,
    'gen_ai.usage.output_tokens': usage.completion_tokens,
    'server.address': hostname,
    'server.port': Number(port),
  });
  // What the upstream is told.
  const sent = (await recordedRequests(account)).at(-1);
  expect(sent?.headers.traceparent).toBe(`00-${traceId}-${client?.spanId}-01`);
});

test('without _meta, the parent is that of the HTTP header', async () => {
  const { traceId, spanId, traceparent } = newParent();
  await call('list_media', {}, { headers: { traceparent } }).result;
  expect(await received(traceId, 1)).toMatchObject([{ name: 'tools/call list_media', parentSpanId: spanId }]);
});

test('an invalid traceparent begins a new trace', async () => {
  await call(
    'list_media',
    {},
    { id: 'invalid', meta: { traceparent: 'garbage' }, headers: { traceparent: `${newParent().traceparent}00` } },
  ).result;
  const span = await eventually(() => receiver.spans.find(({ attributes }) => attributes['jsonrpc.request.id'] === 'invalid'));
  expect(span?.parentSpanId ?? '').toBe('');
});

test('a failed call and its upstream request are failed spans', async () => {
  const { traceId, traceparent } = newParent();
  await queueFaults(account, [{ status: 500 }]);
  await call('chat_completion', { prompt: 'fail' }, { meta: { traceparent } }).result;
  const spans = await received(traceId, 2);
  const errors = Object.fromEntries(spans.map(({ kind, status, attributes }) => [kind, [status.code, attributes['error.type']]]));
  expect(errors).toEqual({ [SERVER]: [ERROR, 'tool_error'], [CLIENT]: [ERROR, '500'] });
  expect(spans.find(({ kind }) => kind === SERVER)?.attributes['gateway.outcome']).toBe('upstream_status');
});

test('the upstream request of a job that outlives its call is still within the call', async () => {
  const { traceId, traceparent } = newParent();
  await queueFaults(account, [{ hold: 'all' }]);
  const pending = await call('generate_image', { prompt: 'slow', size: '64x64', wait_seconds: 0 }, { meta: { traceparent } }).result;
  expect(pending.structuredContent.status).toBe('in_progress');
  const [server] = await received(traceId, 1);
  await release(account);
  const spans = await received(traceId, 2);
  expect(spans.find(({ kind }) => kind === CLIENT)).toMatchObject({ name: 'image_generation gpt-image-2', parentSpanId: server?.spanId });
});

test('the last spans are exported before the process ends', async () => {
  const otel = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, EXPORT_DELAY_MS: '600000' };
  const ending = await startNodeGateway({ ...env, ...otel }, undefined, undefined, ['--import', SETUP]);
  const { traceId, traceparent } = newParent();
  await call('list_media', {}, { url: ending.url, headers: { traceparent } }).result;
  expect(spansOf(traceId)).toEqual([]);
  expect(await ending.terminate()).toBe(0);
  expect(spansOf(traceId)).toMatchObject([{ name: 'tools/call list_media' }]);
});

test('one call is followed by its request id through log, trace, metrics and what the job leaves, and is counted in the usage', async () => {
  const used = async () => {
    const response = await fetch(`${gateway.url}/usage?days=1`, { headers: CLIENT_HEADERS });
    const { by_tool } = (await response.json()) as { by_tool: { tool: string; calls: number; files: number }[] };
    return by_tool.find(({ tool }) => tool === 'generate_image') ?? { calls: 0, files: 0 };
  };
  const calls = async () => {
    const response = await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${METRICS_KEY}` } });
    return parseMetrics(await response.text()).value('mcp_tool_calls_total', { tool: 'generate_image', outcome: 'ok' });
  };
  const { traceId, traceparent } = newParent();
  const before = await calls();
  const usedBefore = await used();
  const { response, result } = call('generate_image', { prompt: 'follow', size: '64x64' }, { meta: { traceparent } });
  const { images } = (await result).structuredContent;
  const request_id = (await response).headers.get('x-request-id');
  expect(await calls()).toBe(before + 1);
  expect(await used()).toMatchObject({ calls: usedBefore.calls + 1, files: usedBefore.files + 1 });
  const spans = await received(traceId, 2);
  expect(spans.find(({ kind }) => kind === SERVER)?.attributes['gateway.request_id']).toBe(request_id);
  const logged = await eventually(() => {
    const own = lines.map((line) => JSON.parse(line)).filter((line) => line.request_id === request_id);
    return own.some(({ event }) => event === 'job') ? own : undefined;
  });
  expect(logged?.map(({ event }) => event)).toEqual(expect.arrayContaining(['request', 'tool_call', 'job']));
  const index = createDayIndex(setUpSealed([secret], 'history').sealed, testRuntime());
  const entries = await eventually(async () => {
    const found = (await index.read('default', Date.now())).filter((entry) => entry.request_id === request_id);
    return found.length > 0 ? found : undefined;
  });
  expect(entries).toMatchObject([{ tool: 'generate_image', state: 'completed', files: [{ bytes: images[0].bytes }] }]);
});
