import { GatewayError } from '../errors.ts';
import { ERROR_BODY_TIMEOUT_MS, MAX_ERROR_BODY_BYTES, MIN_BODY_BYTES_PER_MINUTE, UPSTREAM_TIMEOUT_MS } from '../limits.ts';
import type { Clock } from '../ports.ts';
import { type BodyOptions, guardBody, readBody } from '../streams/body.ts';
import type { Upstream } from './upstreams.ts';

/** What reading the body of a response is bounded by. */
export type ReadOptions = Readonly<{ paid: boolean; maxBytes: number; timeoutMs?: number; minBytesPerMinute?: number }>;

/** A success status, but not what the API promises. `problem` completes "returned 200 with an unexpected body: …". */
export function unexpectedBody({ service, variables }: Upstream, problem: string, paid: boolean, cause?: unknown): GatewayError {
  return new GatewayError({ kind: 'upstream_answer', service, problem, paid, variables }, { cause });
}

/** How the body of an upstream's response is read: bounded in size, time and pace. Breaking a bound is an `upstream_answer` failure. */
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
 * The JSON in the body of a response. Servers may send white space while they work, so a slow beginning is no fault as
 * long as the call has time.
 */
export async function readJson(response: Response, upstream: Upstream, options: ReadOptions): Promise<unknown> {
  const limits = bodyOptions(upstream, { minBytesPerMinute: 0, ...options });
  const bytes = await readBody(response, limits);
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw unexpectedBody(upstream, 'the body is not valid JSON', options.paid, cause);
  }
}

/** A fetch whose error responses are at hand: the client reads them whole, and so does every server decide how long that takes. */
export function boundErrorBodies(fetch: typeof globalThis.fetch, clock: Clock): typeof globalThis.fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    if (response.ok || response.body === null) return response;
    const text = await readErrorText(response, clock);
    const headers = new Headers(response.headers);
    headers.delete('content-encoding');
    headers.delete('content-length');
    return new Response(text, { status: response.status, statusText: response.statusText, headers });
  };
}

/** As much of it as comes in time and is within the bound. */
async function readErrorText(response: Response, clock: Clock): Promise<string> {
  const limits = { clock, maxBytes: MAX_ERROR_BODY_BYTES, timeoutMs: ERROR_BODY_TIMEOUT_MS, minBytesPerMinute: 0 };
  const reader = guardBody(response, { ...limits, toError: (problem) => new Error(problem) });
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      const chunk = await reader.read(new Uint8Array(MAX_ERROR_BODY_BYTES));
      if (chunk.byteLength === 0) return text + decoder.decode();
      text += decoder.decode(chunk, { stream: true });
    }
  } catch {
    return text;
  }
}
