import { GatewayError } from '../errors.ts';
import { MIN_BODY_BYTES_PER_MINUTE, UPSTREAM_TIMEOUT_MS } from '../limits.ts';
import { type BodyOptions, readBody } from '../streams/body.ts';
import type { ByteReader } from '../streams/byte-reader.ts';
import { type InlineImagesOptions, readInlineImages } from './inline-images.ts';
import type { Upstream } from './upstreams.ts';

/** Limits on reading a response body. */
export type ReadOptions = Readonly<{ paid: boolean; maxBytes: number; timeoutMs?: number; minBytesPerMinute?: number }>;

/** A success status with an unexpected body. `problem` completes "returned 200 with an unexpected body: …". */
export function unexpectedBody({ service, variables }: Upstream, problem: string, paid: boolean, cause?: unknown): GatewayError {
  return new GatewayError({ kind: 'upstream_answer', service, problem, paid, variables }, { cause });
}

/** Options for reading an upstream's response body, limited in size, time and pace. Exceeding a limit is an `upstream_answer` failure. */
export function bodyOptions(upstream: Upstream, { paid, maxBytes, timeoutMs, minBytesPerMinute }: ReadOptions): BodyOptions {
  return {
    clock: upstream.clock,
    maxBytes,
    timeoutMs: timeoutMs ?? UPSTREAM_TIMEOUT_MS,
    minBytesPerMinute: minBytesPerMinute ?? MIN_BODY_BYTES_PER_MINUTE,
    toError: (problem, cause) => unexpectedBody(upstream, problem, paid, cause),
  };
}

/**
 * Reads a response body as JSON. Servers may send white space while they work, so only the call's time limit applies,
 * not the minimum pace.
 */
export async function readJson(response: Response, upstream: Upstream, options: ReadOptions): Promise<unknown> {
  const limits = bodyOptions(upstream, { minBytesPerMinute: 0, ...options });
  const bytes = await readBody(response, limits);
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw unexpectedBody(upstream, 'not valid JSON', options.paid, cause);
  }
}

/** Reads JSON whose base64 strings are passed on, decoded, as they arrive; see {@link readInlineImages}. For paid requests. */
export async function readInlineJson(reader: ByteReader, upstream: Upstream, options: InlineImagesOptions): Promise<unknown> {
  try {
    return JSON.parse(await readInlineImages(reader, options));
  } catch (cause) {
    if (cause instanceof RangeError) {
      await reader.cancel();
      throw unexpectedBody(upstream, cause.message, true, cause);
    }
    if (cause instanceof SyntaxError) throw unexpectedBody(upstream, 'not valid JSON', true, cause);
    throw cause;
  }
}
