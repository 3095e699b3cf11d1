import { expect, test } from 'vitest';
import { onBodyEnd } from '../../src/streams/on-end.ts';

function setUp(pause?: () => Promise<void>) {
  const ends: boolean[] = [];
  const response = onBodyEnd(new Response('all of it'), (isWhole) => ends.push(isWhole), pause);
  return { ends, response };
}

test('a body that is read to its end has been taken', async () => {
  const { ends, response } = setUp();
  expect(await response.text()).toBe('all of it');
  expect(ends).toEqual([true]);
});

test('one that is cancelled has not', async () => {
  const { ends, response } = setUp();
  await response.body?.cancel();
  expect(ends).toEqual([false]);
});

test('nor has one whose reader turns out to have gone after the last byte', async () => {
  const pause = Promise.withResolvers<void>();
  const { ends, response } = setUp(() => pause.promise);
  const reader = response.body?.getReader();
  await reader?.read();
  const end = reader?.read();
  expect(ends).toEqual([]);
  await reader?.cancel();
  pause.resolve();
  await end;
  expect(ends).toEqual([false]);
});
