import { isTransientStatus } from '../http-semantics.ts';
import { MIN_BODY_BYTES_PER_MINUTE } from '../limits.ts';
import type { Clock } from '../ports.ts';
import { readBody } from '../streams/body.ts';
import { withTimeLimit } from '../streams/time-limit.ts';

/** A failed download; the message is safe to show to clients. */
export class DownloadError extends Error {
  override readonly name = 'DownloadError';
  /** Whether a retry may succeed. */
  readonly transient: boolean;

  constructor(message: string, transient: boolean, options?: ErrorOptions) {
    super(message, options);
    this.transient = transient;
  }
}

export type DownloadOptions = Readonly<{
  clock: Clock;
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  maxBytes: number;
  timeoutMs: number;
  signal?: AbortSignal;
}>;

/**
 * Reads the body at `url` into memory. Throws a `DownloadError` when the response is not a success or its body is
 * truncated or exceeds a limit; rethrows what `fetch` throws when the connection fails or `timeoutMs` passes.
 */
export function download(
  url: string,
  { clock, fetch, maxBytes, timeoutMs, signal: outer }: DownloadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const read = async (signal: AbortSignal) => {
    const response = await fetch(url, { signal });
    if (!response.ok || !response.body) {
      response.body?.cancel().catch(() => {});
      throw new DownloadError(`it returned ${response.status}`, isTransientStatus(response.status));
    }
    const toError = (problem: string, cause?: unknown) => new DownloadError(problem, !problem.includes('larger than'), { cause });
    return readBody(response, { clock, maxBytes, timeoutMs, minBytesPerMinute: MIN_BODY_BYTES_PER_MINUTE, toError });
  };
  return withTimeLimit(clock, timeoutMs, read, outer);
}
