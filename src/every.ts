import type { Clock } from './ports.ts';

export type EveryOptions = Readonly<{
  ms: number;
  /** The start of the current interval; each action advances it. */
  sinceMs: () => number;
  signal: AbortSignal;
  /** Checked before each action and each wait. */
  isNeeded?: () => boolean;
}>;

/**
 * Runs `act` every `ms`, until the signal aborts or it is no longer needed. Tolerates a clock that is set back. Never
 * rejects.
 */
export async function every(clock: Clock, { ms, sinceMs, signal, isNeeded = () => true }: EveryOptions, act: () => void): Promise<void> {
  while (!signal.aborted && isNeeded()) {
    const remainingMs = sinceMs() + ms - clock.now();
    // More than `ms` remains when the clock has been set back.
    if (remainingMs > 0 && remainingMs <= ms) await clock.sleep(remainingMs, signal).catch(() => {});
    else act();
  }
}
