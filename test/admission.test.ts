import { expect, test } from 'vitest';
import { createAdmission, createMemory } from '../src/admission.ts';

const NEVER = new AbortController().signal;

function setUp(lingerMs = 35_000) {
  let nowMs = 0;
  const admission = createAdmission(createMemory(10), lingerMs, { now: () => nowMs });
  return {
    ...admission,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

test('what is held is not given out twice, and is free again once released', () => {
  const { admit } = setUp();
  const first = admit(6, NEVER);
  expect(() => admit(5, NEVER)).toThrow();
  admit(4, NEVER);
  first.release();
  first.release();
  expect(admit(6, NEVER).bytes).toBe(6);
  expect(() => admit(1, NEVER)).toThrow();
});

test('a call for more than all of it gets all of it', () => {
  const { admit } = setUp();
  expect(admit(99, NEVER).bytes).toBe(10);
});

test('a call that the runtime has ended unseen does not hold its memory for good', () => {
  const client = new AbortController();
  const { admit, pass } = setUp();
  admit(10, client.signal);
  pass(60_000);
  expect(() => admit(1, NEVER)).toThrow();
  client.abort();
  pass(34_000);
  expect(() => admit(1, NEVER)).toThrow();
  pass(2_000);
  expect(admit(10, NEVER).bytes).toBe(10);
  pass(20 * 60_000);
  expect(admit(10, NEVER).bytes).toBe(10);
});

test('what goes on without its client holds its memory, which all share', () => {
  const client = new AbortController();
  const memory = createMemory(10);
  const clock = { now: () => 0 };
  createAdmission(memory, Number.POSITIVE_INFINITY, clock).admit(6, client.signal);
  client.abort();
  const later = createAdmission(memory, 35_000, { now: () => 60_000 });
  expect(() => later.admit(5, NEVER)).toThrow();
  expect(later.admit(4, NEVER).bytes).toBe(4);
});
