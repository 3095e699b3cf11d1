import type { Log } from './log.ts';

/** Time, as the runtime or a test has it. */
export type Clock = Readonly<{
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Resolves after `ms`; rejects with the signal's reason when that is aborted first. */
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** The same, for limits that end what hangs; tests whose clock is fast need not hurry the rest of the machine. */
  timeLimit: (ms: number, signal: AbortSignal) => Promise<void>;
}>;

/** What differs between the runtimes, or is replaced in tests. */
export type Runtime = Clock &
  Readonly<{
    fetch: typeof fetch;
    /** As `fetch`, but does not connect to private addresses, where the runtime could. */
    fetchPublic: typeof fetch;
    /** What makes fetch send bytes that are at hand, with a Content-Length and without copying them. */
    bytesInit: (bytes: Uint8Array<ArrayBuffer>) => RequestInit;
    randomUUID: () => string;
    /** From 0 up to 1. */
    random: () => number;
    /**
     * How often a stream on which a call waits is written to. Node is told when a client closes its connection;
     * workerd finds out by writing, unless the connection was reset.
     */
    heartbeatMs: number;
    /** How many tool calls may run at once; each takes some memory, whatever it does. */
    maxCalls: number;
    /** What media in flight may take of the memory. */
    mediaMemoryBytes: number;
    /** How long work may go on after its client has gone. */
    lingerMs: number;
    /** Keeps the work of a request going after its client has gone. */
    waitUntil: (work: Promise<unknown>) => void;
    log: Log;
  }>;
