import type { Clock } from '../../src/ports.ts';

/** How much faster than the true clock the gateway's goes while a fault lasts: ten minutes take four seconds. */
export const FAST = 150;
/** It starts behind the true one: storage takes what was signed by a clock up to five minutes ahead, but not more. */
const STARTS_BEHIND_MS = 13 * 60_000;
const TICK_MS = 5;

/** A clock whose speed can be changed at any time, also while somebody sleeps. */
export type AdjustableClock = Clock & Readonly<{ setSpeed: (speed: number) => void }>;

export function createAdjustableClock(sleepTruly: Clock['sleep']): AdjustableClock {
  let speed = 1;
  let trueMs = Date.now();
  let startMs = trueMs - STARTS_BEHIND_MS;
  const now = () => startMs + (Date.now() - trueMs) * speed;
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
      startMs = now();
      trueMs = Date.now();
      speed = newSpeed;
    },
  };
}
