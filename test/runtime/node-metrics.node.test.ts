import { expect, test } from 'vitest';
import type { GatewayEvent } from '../../src/events.ts';
import { MAX_LABEL_VALUES } from '../../src/limits.ts';
import { createNodeMetrics } from '../../src/runtime/node-metrics.ts';
import { parseMetrics } from '../prometheus.ts';
import { createTestApp, testEnvironment, testRuntime } from '../support.ts';

const LOAD = { callsInFlight: 0, jobsRunning: 0, memoryReservedBytes: 0 };
const call = { type: 'tool_call', requestId: 'r', tool: 't', durationMs: 1, outcome: 'ok' } as const;

/** The metrics after these events. */
async function after(events: GatewayEvent[]) {
  const { sink, scrape } = createNodeMetrics();
  for (const event of events) sink(event);
  return parseMetrics((await scrape(LOAD)).text);
}

const numbers = Array.from({ length: MAX_LABEL_VALUES * 3 }, (_, number) => number);

test('principals beyond the bound are one', async () => {
  const metrics = await after(numbers.map((number) => ({ ...call, principal: `p${number}`, measures: {} })));
  expect(metrics.labelsOf('mcp_tool_calls_total')).toHaveLength(MAX_LABEL_VALUES + 1);
  expect(metrics.value('mcp_tool_calls_total', { principal: 'other' })).toBe(MAX_LABEL_VALUES * 2);
});

test('models that never answered are one, and take no place among those that have', async () => {
  const upstream = { type: 'upstream', operation: 'chat', provider: 'openai', host: 'h', durationMs: 1 } as const;
  const guesses = numbers.map((number) => ({ ...upstream, model: `guess-${number}`, errorType: '404' }));
  const metrics = await after([...guesses, { ...upstream, model: 'real' }]);
  const models = metrics.labelsOf('gen_ai_client_operation_duration_seconds_count').map((labels) => labels.gen_ai_request_model);
  expect(models.toSorted()).toEqual(['other', 'real']);
});

test('paths and methods from outside become no labels', async () => {
  const runtime = testRuntime();
  const { sink, scrape } = createNodeMetrics();
  const { app } = createTestApp(testEnvironment(), { ...runtime, sinks: [sink] });
  for (let number = 0; number < 20; number++) await app.request(`/secret-${number}`, { method: `M${number}` });
  await app.request('/health');
  const { text } = await scrape(LOAD);
  expect(text).not.toContain('secret');
  const routes = parseMetrics(text).labelsOf('http_server_request_duration_seconds_count');
  expect(routes.map((labels) => labels.http_route).toSorted()).toEqual(['/health', 'other']);
  expect(routes.map((labels) => labels.http_request_method).toSorted()).toEqual(['GET', '_OTHER']);
});

test('what a call and its job have cost is counted once, and what the job adds is counted, too', async () => {
  const measures = { model: 'gpt-image-2', cost_usd: 0.25, bytes: 10 };
  const { sink, scrape } = createNodeMetrics();
  sink({ ...call, principal: 'alice', measures });
  Object.assign(measures, { cost_usd: 1, bytes: 30 });
  sink({ type: 'job', requestId: 'r', jobId: 'j', principal: 'alice', tool: 't', state: 'completed', durationMs: 1, measures });
  const { value } = parseMetrics((await scrape(LOAD)).text);
  expect(value('mcp_tool_cost_usd_total', { tool: 't', model: 'gpt-image-2', principal: 'alice' })).toBe(1);
  expect(value('mcp_media_stored_bytes_total', { tool: 't' })).toBe(30);
});
