import { expect, test } from 'vitest';
import { type AnalyticsBinding, createAnalytics } from '../../src/runtime/workers-analytics.ts';
import { createTestApp, eventually, testEnvironment, testRuntime } from '../support.ts';

type Point = Parameters<AnalyticsBinding['writeDataPoint']>[0];

/** The app with a dataset that keeps its points. */
function setUp() {
  const points: Point[] = [];
  const sinks = [createAnalytics({ writeDataPoint: (point) => void points.push(point) })];
  return { ...createTestApp(testEnvironment(), testRuntime({ sinks })), points };
}

test('each tool call is one data point, whose columns stay what they are', async () => {
  const { call, points, logged } = setUp();
  const { usage } = (await call('chat_completion', { prompt: 'Hello' })).structuredContent;
  const line = JSON.parse(logged.find((entry) => entry.includes('"event":"tool_call"')) ?? '{}');
  expect(points).toEqual([
    {
      indexes: ['default'],
      blobs: ['tool_call', 'chat_completion', 'ok', 'default', 'gpt-6-luna', line.request_id],
      doubles: [line.duration_ms, 0, usage.prompt_tokens, usage.completion_tokens, 0],
    },
  ]);
});

test('a call and its job together have stored what was stored, and have one request id', async () => {
  const { call, points } = setUp();
  const { images } = (await call('generate_image', { prompt: 'Hello', size: '64x64' })).structuredContent;
  await eventually(() => points.some(({ blobs }) => blobs[0] === 'job'));
  expect(points.map(({ blobs }) => blobs[2]).toSorted()).toEqual(['completed', 'ok']);
  expect(points.reduce((bytes, { doubles }) => bytes + (doubles[4] ?? 0), 0)).toBe(images[0].bytes);
  expect(new Set(points.map(({ blobs }) => blobs[5])).size).toBe(1);
});
