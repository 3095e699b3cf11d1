/** The subset of the Workers runtime modules used here. */
declare module 'cloudflare:workers' {
  /** Keeps the current request's work running for up to 30 s after the client disconnects. */
  export function waitUntil(work: Promise<unknown>): void;

  /** The bindings, typed by whoever uses them. */
  export const env: Readonly<Record<string, unknown>>;

  type Span = Readonly<{
    /** Whether anything collects the trace. */
    isTraced: boolean;
    spanContext: () => Readonly<{ traceId: string; spanId: string; traceFlags: number }>;
    setAttributes: (attributes: Readonly<Record<string, string | number | undefined>>) => void;
    setStatus: (status: Readonly<{ code: 'error' }>) => void;
  }>;
  export const tracing: Readonly<{
    enterSpan: <Result>(name: string, work: (span: Span) => Result) => Result;
    getActiveSpan: () => Span | undefined;
  }>;
}

/** A stream of exactly so many bytes: a response with it has a Content-Length. */
declare class FixedLengthStream extends TransformStream<Uint8Array, Uint8Array> {
  constructor(bytes: number);
}
