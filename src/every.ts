import type { Clock } from './ports.ts';

export type EveryOptions = Readonly<{
  ms: number;
  /** Since when the time counts; each act moves it on. */
  sinceMs: () => number;
  signal: AbortSignal;
  /** Asked before each act and each wait. */
  isNeeded?: () => boolean;
}>;

/**
 * Acts whenever `ms` have passed, until the signal is aborted or it is not needed any more. Survives a clock that is set
 * back. Never rejects.
 */
export async function every(clock: Clock, { ms, sinceMs, signal, isNeeded = () => true }: EveryOptions, act: () => void): Promise<void> {
  while (!signal.aborted && isNeeded()) {
    const leftMs = sinceMs() + ms - clock.now();
    // More than `ms` is left when the clock has been set back.
    if (leftMs > 0 && leftMs <= ms) await clock.sleep(leftMs, signal).catch(() => {});
    else act();
  }
}
