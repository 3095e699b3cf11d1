/** Time, as the runtime or a test has it. */
export type Clock = Readonly<{
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Resolves after `ms`; rejects with the signal's reason when that is aborted first. */
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** The same, for limits that end what hangs; tests whose clock is fast need not hurry the rest of the machine. */
  timeLimit: (ms: number, signal: AbortSignal) => Promise<void>;
}>;
