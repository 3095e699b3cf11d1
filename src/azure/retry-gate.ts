import type { Clock } from '../ports.ts';

/** Keeps the retries of all operations on one store from becoming a storm. */
export type RetryGate = Readonly<{
  /** Whether the store has failed so often in a row that it counts as down. */
  isOpen: () => boolean;
  /** Some other attempt has succeeded. */
  close: () => void;
  /** Resolves when an attempt may be made; its outcome must be reported to what it resolves with. */
  enter: (isRetry: boolean) => Promise<(succeeded: boolean) => void>;
}>;

/** So many failures in a row, and the store counts as down: then one attempt at a time finds out when it is back. */
const OPEN_AFTER_FAILURES = 5;
const PROBE_INTERVAL_MS = 1_000;
/** The budget of retries while the store fails now and then. */
const MAX_SAVED_RETRIES = 20;
const RETRY_EVERY_MS = 500;

export function createRetryGate({ now, sleep }: Clock): RetryGate {
  let failuresInARow = 0;
  let probe: Promise<void> | undefined;
  let savedRetries = MAX_SAVED_RETRIES;
  let savedAtMs = now();
  const isOpen = () => failuresInARow >= OPEN_AFTER_FAILURES;

  /** Takes one retry out of the budget, or waits for one to come in. */
  async function spendRetry(): Promise<void> {
    const ms = now();
    savedRetries = Math.min(MAX_SAVED_RETRIES, savedRetries + Math.max(0, ms - savedAtMs) / RETRY_EVERY_MS);
    savedAtMs = ms;
    savedRetries--;
    if (savedRetries < 0) await sleep(-savedRetries * RETRY_EVERY_MS);
  }

  function report(succeeded: boolean): void {
    failuresInARow = succeeded ? 0 : failuresInARow + 1;
  }

  function beginProbe(): (succeeded: boolean) => void {
    const finished = Promise.withResolvers<void>();
    probe = finished.promise;
    const end = () => {
      probe = undefined;
      finished.resolve();
    };
    return (succeeded) => {
      report(succeeded);
      if (succeeded) end();
      else void sleep(PROBE_INTERVAL_MS).finally(end);
    };
  }

  return {
    isOpen,
    close: () => report(true),
    async enter(isRetry) {
      if (isRetry && !isOpen()) await spendRetry();
      while (isOpen()) {
        if (!probe) return beginProbe();
        await probe;
      }
      return report;
    },
  };
}
