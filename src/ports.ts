import type { Sink, SpanAttributes, SpanStart } from './events.ts';
import type { Log } from './log.ts';
import type { ObjectStore, ServedStore } from './media/object-store.ts';

/** The reason for aborting what has become unnecessary: by default, it would be an exception with a stack, which costs 10 µs. */
export const DONE = 'done';

/** Time, provided by the runtime or a test. */
export type Clock = Readonly<{
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Resolves after `ms`; rejects with the signal's reason if it aborts first. */
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Like `sleep`, but for timeouts: tests that speed up the clock can leave real I/O its time. */
  timeLimit: (ms: number, signal: AbortSignal) => Promise<void>;
}>;

/** An option of fetch for a small answer that is read at once: where that is faster, it then comes without streams. */
export type SmallAnswer = Readonly<{ isSmallAnswer?: boolean }>;

/** A small copy of an image; `problem`: why there is none, in words for a client. */
export type ShrunkImage = Readonly<{ bytes: Uint8Array; contentType: string } | { problem: string }>;

/**
 * Makes a copy of an image that is upright and fits into a square of so many pixels, in a format that models read;
 * `quality` is from 1 to 100. The image is decoded outside the memory of this process. Throws when it cannot be.
 */
export type ShrinkImage = (
  image: Uint8Array<ArrayBuffer>,
  options: Readonly<{ sidePixels: number; quality: number }>,
) => Promise<ShrunkImage>;

/** A span that is being recorded; `error.type` makes it a failed one. */
export type Span = Readonly<{ setAttributes: (attributes: SpanAttributes) => void }>;

/** Traces. What work starts, however long after, is within the span in which it runs. */
export type Tracing = Readonly<{
  /** Whether anything collects what happens now. */
  isTraced: () => boolean;
  enterSpan: <Result>(start: SpanStart, work: (span: Span) => Promise<Result>) => Promise<Result>;
  /** The W3C traceparent of the current span. */
  traceparent: () => string | undefined;
}>;

/** What a process has at this moment. */
export type Load = Readonly<{ callsInFlight: number; jobsRunning: number; memoryReservedBytes: number }>;

/** A folder in which objects are stored. */
export type Folder = Readonly<{
  store: ServedStore;
  /** A secret that was made for this folder, and is kept in it; `undefined` if it cannot be. */
  stateSecret: () => string | undefined;
}>;

/** Where the objects of a bucket can be read (the first one is for new links), and what to correct if they cannot be. */
export type BucketLinks = Readonly<{ publicBaseUrls: () => readonly string[]; remedy: ObjectStore['linkRemedy'] }>;

/** What differs between runtimes or is replaced in tests. */
export type Runtime = Clock &
  Readonly<{
    fetch: typeof fetch;
    /** Like `fetch`, but refuses private addresses where the runtime could reach them. */
    fetchPublic: typeof fetch;
    /** Makes fetch send in-memory bytes with a Content-Length and without copying. */
    bytesInit: (bytes: Uint8Array<ArrayBuffer>) => RequestInit;
    randomUUID: () => string;
    /** The SHA-256 digest of a text in lowercase hexadecimal; at once, where the runtime can do that. */
    sha256: (text: string) => string | Promise<string>;
    /** From 0 (inclusive) to 1 (exclusive). */
    random: () => number;
    /**
     * How often to write to a stream with a pending call. Node is notified when a client closes its connection; workerd
     * finds out only by writing, unless the connection was reset.
     */
    heartbeatMs: number;
    /**
     * How long to keep a response open after its last byte, to learn that the client had left before it: on workerd, the
     * write to a connection that the client has closed succeeds, and only then is it reset.
     */
    lastByteMs: number;
    /** A stream of exactly so many bytes, which Workers send with a Content-Length; where `lastByteMs` is not 0. */
    sizedStream?: (bytes: number) => TransformStream<Uint8Array, Uint8Array>;
    /** The concurrency limit for tool calls; each uses some memory, whatever it does. */
    maxCalls: number;
    /** Whether work goes on for as long as it takes after its client has left. */
    outlivesClients: boolean;
    /** How many jobs may run at once. */
    maxJobs: number;
    /** The memory budget for media in flight. */
    mediaMemoryBytes: number;
    shrinkImage: ShrinkImage;
    /** How long work may continue after its client disconnects. */
    lingerMs: number;
    /** Keeps a request's work running after its client disconnects. */
    waitUntil: (work: Promise<unknown>) => void;
    log: Log;
    /** Stores objects in a folder, where there are any; `publicBaseUrl` is that of their links, which are otherwise `file:` URLs. */
    openFolder?: (dir: string, publicBaseUrl: string | undefined) => Folder;
    /** Stores objects in the bucket that is bound, where one is. */
    openBucket?: ((links: BucketLinks) => ServedStore) | undefined;
    /** Who is told of every event besides the log. */
    sinks?: readonly Sink[] | undefined;
    /** Where traces are collected. */
    tracing?: Tracing | undefined;
    /** The metrics in the text format of Prometheus, where they are kept. */
    scrape?: ((load: Load) => Promise<Readonly<{ contentType: string; text: string }>>) | undefined;
  }>;
