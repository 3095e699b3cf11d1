import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningNodeGateway, startNodeGateway } from '../gateways.ts';
import { parseMetrics } from '../prometheus.ts';
import { CLIENT_HEADERS, CLIENT_KEY, eventually, queueFaults, recordedRequests, release, startCall, testEnvironment } from '../support.ts';

const METRICS_KEY = 'metrics-key-of-the-tests-0123456789';
const BEARER = { authorization: `Bearer ${METRICS_KEY}` };
const env = testEnvironment({ METRICS_KEY, MCP_ALLOWED_HOSTS: 'gateway.example.com', LOG_LEVEL: 'info' });
const account = env.OPENAI_API_KEY ?? '';
const send = (request: Request) => fetch(request);
let gateway: RunningNodeGateway;
let url: string;

beforeAll(async () => {
  gateway = await startNodeGateway(env);
  ({ url } = gateway);
});
afterAll(() => gateway.close());

async function scrape() {
  const response = await fetch(`${url}/metrics`, { headers: BEARER });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toContain('version=0.0.4');
  return parseMetrics(await response.text());
}

test.each([
  ['no bearer', {}],
  ["the clients' key", { authorization: `Bearer ${CLIENT_KEY}` }],
  ['a part of the key', { authorization: `Bearer ${METRICS_KEY.slice(1)}` }],
])('with %s: 401, and a refusal is counted', async (_, headers: Record<string, string>) => {
  const before = (await scrape()).value('mcp_refusals_total', { kind: 'bearer', reason: 'metrics' });
  const response = await fetch(`${url}/metrics`, { headers });
  expect(response.status).toBe(401);
  expect(await response.text()).not.toContain('mcp_');
  expect((await scrape()).value('mcp_refusals_total', { kind: 'bearer', reason: 'metrics' })).toBe(before + 1);
});

test('the key of the metrics opens nothing else', async () => {
  const headers = { ...CLIENT_HEADERS, ...BEARER, host: 'gateway.example.com' };
  expect((await fetch(`${url}/mcp`, { method: 'POST', headers, body: '{}' })).ok).toBe(false);
});

test('without METRICS_KEY there are no metrics', async () => {
  const other = await startNodeGateway(testEnvironment());
  const response = await fetch(`${other.url}/metrics`, { headers: BEARER });
  expect(response.status).toBe(404);
  expect(await response.text()).toContain('METRICS_KEY');
  await other.close();
});

test('calls, upstreams, tokens, media and jobs are counted under the names of OpenTelemetry', async () => {
  const open = await startNodeGateway({ ...env, MCP_ALLOWED_HOSTS: '' });
  url = open.url;
  const before = await scrape();
  await queueFaults(account, [{ status: 500 }]);
  const failed = await startCall(send, 'chat_completion', { prompt: 'fail' }, { url }).result;
  expect(failed.isError).toBe(true);
  const chat = (await startCall(send, 'chat_completion', { prompt: 'count' }, { url }).result).structuredContent;
  const image = (await startCall(send, 'generate_image', { prompt: 'count', size: '64x64' }, { url }).result).structuredContent;
  await eventually(async () => (await scrape()).value('mcp_jobs_total', { tool: 'generate_image', state: 'completed' }) === 1);
  const after = await scrape();
  expect(before.labelsOf('mcp_tool_calls_total')).toEqual([]);
  expect(after.value('mcp_tool_calls_total', { tool: 'chat_completion', outcome: 'ok', principal: 'default' })).toBe(1);
  expect(after.value('mcp_tool_calls_total', { tool: 'chat_completion', outcome: 'upstream_status', principal: 'default' })).toBe(1);
  const call = { mcp_method_name: 'tools/call', gen_ai_tool_name: 'chat_completion' };
  expect(after.value('mcp_server_operation_duration_seconds_count', { ...call, error_type: '' })).toBe(1);
  expect(after.value('mcp_server_operation_duration_seconds_count', { ...call, error_type: 'tool_error' })).toBe(1);
  const upstream = { gen_ai_operation_name: 'chat', gen_ai_provider_name: 'openai' };
  const known = { ...upstream, gen_ai_request_model: 'gpt-6-luna', server_address: new URL(env.OPENAI_BASE_URL ?? '').host };
  expect(after.value('gen_ai_client_operation_duration_seconds_count', { ...known, error_type: '' })).toBe(1);
  // A model is named once it has answered.
  const unknown = { ...upstream, gen_ai_request_model: 'other', error_type: '500' };
  expect(after.value('gen_ai_client_operation_duration_seconds_count', unknown)).toBe(1);
  const { prompt_tokens, completion_tokens } = chat.usage;
  expect(after.value('gen_ai_client_token_usage_sum', { ...known, gen_ai_token_type: 'input' })).toBe(prompt_tokens);
  expect(after.value('gen_ai_client_token_usage_sum', { ...known, gen_ai_token_type: 'output' })).toBe(completion_tokens);
  expect(after.value('gen_ai_client_operation_duration_seconds_count', { gen_ai_operation_name: 'image_generation' })).toBe(1);
  // Once, although the call and its job have both ended.
  expect(after.value('mcp_media_stored_bytes_total', { tool: 'generate_image' })).toBe(image.images[0].bytes);
  const request = { http_request_method: 'POST', http_route: '/mcp', http_response_status_code: '200' };
  expect(after.value('http_server_request_duration_seconds_count', request)).toBe(3);
  expect(after.value('process_cpu_seconds_total')).toBeGreaterThan(0);
  await open.close();
  ({ url } = gateway);
});

test('while it drains, /metrics answers, and shows the call in flight', async () => {
  const own = testEnvironment({ METRICS_KEY });
  const draining = await startNodeGateway(own);
  await queueFaults(own.OPENAI_API_KEY ?? '', [{ hold: 'all' }]);
  const { result } = startCall(send, 'chat_completion', { prompt: 'wait' }, { url: draining.url });
  await eventually(async () => (await recordedRequests(own.OPENAI_API_KEY ?? '')).length > 0);
  const ended = draining.terminate();
  await eventually(async () => (await fetch(`${draining.url}/ready`)).status === 503);
  const response = await fetch(`${draining.url}/metrics`, { headers: BEARER });
  const { value } = parseMetrics(await response.text());
  expect(value('mcp_calls_in_flight')).toBe(1);
  expect(value('mcp_jobs_running')).toBe(0);
  await release(own.OPENAI_API_KEY ?? '');
  expect((await result).isError).toBeUndefined();
  expect(await ended).toBe(0);
});
