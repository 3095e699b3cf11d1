import type { Clock } from '../ports.ts';

/** A circuit breaker and retry budget that keep operations on one store from causing a retry storm. */
export type RetryGate = Readonly<{
  /** Whether the store counts as down after repeated consecutive failures. */
  isOpen: () => boolean;
  /** Reports that an attempt outside the gate succeeded. */
  close: () => void;
  /** Resolves when an attempt is allowed, with the callback that must receive its outcome. */
  enter: (isRetry: boolean) => Promise<(succeeded: boolean) => void>;
}>;

/** After this many consecutive failures, the store counts as down and is probed one attempt at a time. */
const OPEN_AFTER_FAILURES = 5;
const PROBE_INTERVAL_MS = 1_000;
/** The retry budget for occasional failures. */
const MAX_RETRY_TOKENS = 20;
const TOKEN_REFILL_MS = 500;

export function createRetryGate({ now, sleep }: Clock): RetryGate {
  let failuresInARow = 0;
  let probe: Promise<void> | undefined;
  let tokens = MAX_RETRY_TOKENS;
  let refilledAtMs = now();
  const isOpen = () => failuresInARow >= OPEN_AFTER_FAILURES;

  /** Takes a token from the bucket, or waits for the next. */
  async function spendRetry(): Promise<void> {
    const ms = now();
    tokens = Math.min(MAX_RETRY_TOKENS, tokens + Math.max(0, ms - refilledAtMs) / TOKEN_REFILL_MS);
    refilledAtMs = ms;
    tokens--;
    if (tokens < 0) await sleep(-tokens * TOKEN_REFILL_MS);
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
