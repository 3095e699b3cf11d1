import { expect, test } from 'vitest';
import { createEventStream, encodeEvent } from '../../src/mcp/event-stream.ts';

test('a comment is written after each interval of silence since the last event', async () => {
  let nowMs = 0;
  const slept: number[] = [];
  const sleep = async (ms: number) => {
    if (slept.push(ms) === 1) {
      nowMs += 1_500;
      stream.write(encodeEvent('message', '{}'));
      nowMs -= 1_500;
    }
    nowMs += ms;
  };
  const stream = createEventStream({ clock: { now: () => nowMs, sleep, timeLimit: sleep }, onDisconnect: () => {} });
  await stream.heartbeat(15_000, () => slept.length < 3);
  expect(slept).toEqual([15_000, 1_500, 15_000]);
  stream.end();
  expect(await stream.response.text()).toBe('event: message\ndata: {}\n\n: keep-alive\n\n');
});

test('nothing is written after it ends or its client disconnects', async () => {
  let gone = 0;
  const stream = createEventStream({
    clock: { now: () => 0, sleep: async () => {}, timeLimit: async () => {} },
    onDisconnect: () => gone++,
  });
  await stream.response.body?.cancel();
  stream.write(encodeEvent('message', '{}'));
  stream.end();
  stream.end();
  expect(gone).toBe(1);
});
