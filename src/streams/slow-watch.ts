import type { Clock } from '../ports.ts';

/** What a body may take; time in which nobody reads it does not count. */
export type Pace = Readonly<{
  /** How long may be waited for all of it. */
  timeoutMs: number;
  /** What each minute of waiting must bring; 0 when a pause is no fault. */
  minBytesPerMinute: number;
}>;

export type SlowWatch = Readonly<{
  /** Waiting for bytes begins. */
  begin(): void;
  /** So many have come. */
  end(bytes: number): void;
  /** Nobody waits any more. */
  stop(): void;
  /** What is wrong, once something is. */
  problem(): string | undefined;
}>;

const MINUTE_MS = 60_000;

/**
 * Calls `onSlow` once when a body takes too long. One timer runs for many waits: a timer for each, and a race with it,
 * would cost more than the reading.
 */
export function createSlowWatch({ now, sleep }: Clock, pace: Pace, onSlow: () => unknown): SlowWatch {
  const { timeoutMs, minBytesPerMinute } = pace;
  const stopped = new AbortController();
  let waitingSinceMs: number | undefined;
  let waitedMs = 0;
  let minute = { waitedMs: 0, bytes: 0 };
  let problem: string | undefined;
  let isRunning = false;

  /** How long until the wait that lasts now breaks a limit. */
  function leftMs(): number {
    const lastsMs = now() - (waitingSinceMs ?? 0);
    const ofAll = timeoutMs - waitedMs - lastsMs;
    return minBytesPerMinute === 0 ? ofAll : Math.min(ofAll, MINUTE_MS - minute.waitedMs - lastsMs);
  }

  /** A minute of waiting is over; the next begins when enough has come. */
  function judge(): void {
    const lastsMs = now() - (waitingSinceMs ?? 0);
    if (waitedMs + lastsMs >= timeoutMs) problem = `its body took longer than ${Math.round(timeoutMs / 1000)} s`;
    else if (minute.bytes < minBytesPerMinute) problem = `its body stalled: ${minute.bytes} bytes in ${MINUTE_MS / 1000} s`;
    else minute = { waitedMs: -lastsMs, bytes: 0 };
  }

  async function run(): Promise<void> {
    isRunning = true;
    while (waitingSinceMs !== undefined && problem === undefined) {
      const ms = leftMs();
      if (ms > 0) await sleep(ms, stopped.signal);
      else judge();
    }
    isRunning = false;
    if (problem !== undefined) onSlow();
  }

  return {
    begin(): void {
      waitingSinceMs = now();
      // Ends by the rejection of its sleep when the watch is stopped.
      if (!isRunning) run().catch(() => {});
    },
    end(bytes): void {
      const lastsMs = now() - (waitingSinceMs ?? now());
      waitingSinceMs = undefined;
      waitedMs += lastsMs;
      minute = { waitedMs: minute.waitedMs + lastsMs, bytes: minute.bytes + bytes };
    },
    stop(): void {
      waitingSinceMs = undefined;
      stopped.abort();
    },
    problem: () => problem,
  };
}
