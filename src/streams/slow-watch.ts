import { type Clock, DONE } from '../ports.ts';

/** The time limits for a body; time in which nobody reads does not count. */
export type Pace = Readonly<{
  /** The total time spent waiting for the body. */
  timeoutMs: number;
  /** The minimum bytes per minute of waiting; 0 when pauses are allowed. */
  minBytesPerMinute: number;
}>;

export type SlowWatch = Readonly<{
  /** A read starts waiting. */
  begin(): void;
  /** The read returned this many bytes. */
  end(bytes: number): void;
  /** Stops the watch. */
  stop(): void;
  /** The broken limit, if any. */
  problem(): string | undefined;
}>;

const MINUTE_MS = 60_000;

/**
 * Calls `onSlow` once when a body is too slow. One timer covers many reads: a timer and a race per read would cost more
 * than the read itself.
 */
export function createSlowWatch({ now, sleep }: Clock, pace: Pace, onSlow: () => unknown): SlowWatch {
  const { timeoutMs, minBytesPerMinute } = pace;
  const stopped = new AbortController();
  let waitingSinceMs: number | undefined;
  let waitedMs = 0;
  let minute = { waitedMs: 0, bytes: 0 };
  let problem: string | undefined;
  let isRunning = false;

  /** Time until the current wait breaks a limit. */
  function remainingMs(): number {
    const elapsedMs = now() - (waitingSinceMs ?? 0);
    const totalLeftMs = timeoutMs - waitedMs - elapsedMs;
    return minBytesPerMinute === 0 ? totalLeftMs : Math.min(totalLeftMs, MINUTE_MS - minute.waitedMs - elapsedMs);
  }

  /** Checks the limits; a new minute starts when the last one brought enough bytes. */
  function checkLimits(): void {
    const elapsedMs = now() - (waitingSinceMs ?? 0);
    if (waitedMs + elapsedMs >= timeoutMs) problem = `its body took longer than ${Math.round(timeoutMs / 1000)} s`;
    else if (minute.bytes < minBytesPerMinute) problem = `its body stalled: ${minute.bytes} bytes in ${MINUTE_MS / 1000} s`;
    else minute = { waitedMs: -elapsedMs, bytes: 0 };
  }

  async function run(): Promise<void> {
    isRunning = true;
    while (waitingSinceMs !== undefined && problem === undefined) {
      const ms = remainingMs();
      if (ms > 0) await sleep(ms, stopped.signal);
      else checkLimits();
    }
    isRunning = false;
    if (problem !== undefined) onSlow();
  }

  return {
    begin(): void {
      waitingSinceMs = now();
      // Stopping the watch rejects its sleep, which ends the loop.
      if (!isRunning) run().catch(() => {});
    },
    end(bytes): void {
      const elapsedMs = now() - (waitingSinceMs ?? now());
      waitingSinceMs = undefined;
      waitedMs += elapsedMs;
      minute = { waitedMs: minute.waitedMs + elapsedMs, bytes: minute.bytes + bytes };
    },
    stop(): void {
      waitingSinceMs = undefined;
      stopped.abort(DONE);
    },
    problem: () => problem,
  };
}
