import { expect, test } from 'vitest';
import { traceparentOf } from '../src/events.ts';
import { createTestApp, testEnvironment, testRuntime } from './support.ts';

test('a sink that throws disturbs neither the call nor the other sinks', async () => {
  const types: string[] = [];
  const broken = () => {
    throw new Error('broken');
  };
  const app = createTestApp(testEnvironment(), testRuntime({ sinks: [broken, ({ type }) => types.push(type)] }));
  const { isError } = await app.call('chat_completion', { prompt: 'Hello' });
  expect(isError).toBeUndefined();
  expect(types).toEqual(['upstream', 'tool_call', 'request']);
  expect(app.logged.filter((line) => line.includes('sink_failed'))).toHaveLength(3);
});

test.each([
  '',
  'garbage',
  '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
  '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
  '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01',
  'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01${'0'.repeat(100_000)}`,
  '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n',
  { toString: () => '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' },
])('an invalid traceparent is ignored: %#', (value) => {
  expect(traceparentOf(value)).toBeUndefined();
});
