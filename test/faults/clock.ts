import type { Clock } from '../../src/ports.ts';

/** How much faster than the true clock the gateway's goes while a fault lasts: ten minutes take four seconds. */
export const FAST = 150;
/** It starts behind the true one: storage takes what was signed by a clock up to five minutes ahead, but not more. */
const STARTS_BEHIND_MS = 13 * 60_000;
const TICK_MS = 5;
/** More than this between two looks at a fast clock, and the machine was busy: that time is nobody's delay. */
const MAX_STEP_MS = 4 * TICK_MS;

/** A clock whose speed can be changed at any time, also while somebody sleeps. */
export type AdjustableClock = Clock & Readonly<{ setSpeed: (speed: number) => void }>;

export function createAdjustableClock(sleepTruly: Clock['sleep']): AdjustableClock {
  let speed = 1;
  let seenMs = Date.now();
  let nowMs = seenMs - STARTS_BEHIND_MS;
  function now(): number {
    const passedMs = Date.now() - seenMs;
    seenMs += passedMs;
    nowMs += (speed === 1 ? passedMs : Math.min(passedMs, MAX_STEP_MS)) * speed;
    return nowMs;
  }
  async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const untilMs = now() + ms;
    do await sleepTruly(Math.min(TICK_MS, Math.max(0, untilMs - now()) / speed), signal);
    while (now() < untilMs);
  }
  return {
    now,
    sleep,
    timeLimit: sleep,
    setSpeed(newSpeed) {
      now();
      speed = newSpeed;
    },
  };
}
