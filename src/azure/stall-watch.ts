/** Nothing that is under way may wait longer than this for its next bytes. */
export const STALL_MS = 60_000;

export type StallWatch = Readonly<{
  /** Waiting for bytes begins. */
  begin(): void;
  /** They have come, or nobody waits any more. */
  end(): void;
  hasStalled(): boolean;
}>;

/**
 * Calls `onStall` once when a wait lasts longer than {@link STALL_MS}. One timer runs for many waits: a timer for each,
 * and a race with it, would cost more than the reading.
 */
export function createStallWatch(
  { now, sleep }: Readonly<{ now: () => number; sleep: (ms: number) => Promise<void> }>,
  onStall: () => unknown,
): StallWatch {
  let waitingSinceMs: number | undefined;
  let stalled = false;
  let isRunning = false;

  async function run(): Promise<void> {
    isRunning = true;
    while (waitingSinceMs !== undefined && !stalled) {
      const leftMs = waitingSinceMs + STALL_MS - now();
      if (leftMs > 0) {
        await sleep(leftMs);
      } else {
        stalled = true;
        onStall();
      }
    }
    isRunning = false;
  }

  return {
    begin(): void {
      waitingSinceMs = now();
      if (!isRunning) void run();
    },
    end(): void {
      waitingSinceMs = undefined;
    },
    hasStalled: () => stalled,
  };
}
