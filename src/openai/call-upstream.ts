import { APIError } from 'openai';
import { GatewayError } from '../errors.ts';
import { UPSTREAM_TIMEOUT_MS } from '../limits.ts';
import { TimeLimitError, withTimeLimit } from '../streams/time-limit.ts';
import { toFailure } from './errors.ts';
import type { Capability, Upstream, Upstreams } from './upstreams.ts';

export type CallOptions = Readonly<{
  /** Whether the request costs money once it has been received. */
  paid: boolean;
  /** Aborted when the client goes away or asks to stop. */
  signal: AbortSignal;
  /** What is sent is finished whatever the client does, because its result is of use to a later call. */
  finish?: boolean;
  /** How long the response may take, as far as `call` reads it. */
  timeoutMs?: number;
}>;

/** For media: compressing it gains nothing, and hides its length. */
export const UNCOMPRESSED = { 'accept-encoding': 'identity' };

const MAX_RETRIES = 2;
const MAX_RETRY_WAIT_MS = 10_000;
const FIRST_BACKOFF_MS = 500;
/** Too many requests, and overloaded: the server says that it has not begun. Every other failure may have been billed. */
const NOT_BEGUN = new Set([429, 503]);

/** The upstream of a capability. Throws `not_configured` when nobody serves it. */
export function requireUpstream(upstreams: Upstreams, capability: Capability): Upstream {
  const upstream = upstreams[capability];
  if (upstream.available) return upstream;
  throw new GatewayError({ kind: 'not_configured', what: `${capability} (${upstream.reason})`, variables: upstream.variables });
}

/**
 * Makes one call to an upstream. The failures of the upstream are thrown as ours; anything else is a bug and rises. A
 * call that the upstream has refused to begin is made again where the upstream's capability allows that, waiting as long
 * as it asks, but not when that is longer than ten seconds: then the caller is told instead.
 */
export async function callUpstream<Result>(
  upstream: Upstream,
  options: CallOptions,
  call: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  for (let retry = 0; ; retry++) {
    if (options.signal.aborted) throw new GatewayError({ kind: 'cancelled' }, { cause: options.signal.reason });
    try {
      return await attempt(upstream, options, call);
    } catch (error) {
      const waitMs = retry < MAX_RETRIES ? retryWaitMs(error, retry, upstream) : undefined;
      if (waitMs === undefined) throw error;
      await upstream.clock.sleep(waitMs, options.signal).catch((cause: unknown) => {
        throw new GatewayError({ kind: 'cancelled' }, { cause });
      });
    }
  }
}

async function attempt<Result>(
  upstream: Upstream,
  { paid, signal, finish = false, timeoutMs = UPSTREAM_TIMEOUT_MS }: CallOptions,
  call: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  try {
    return await withTimeLimit(upstream.clock, timeoutMs, call, finish ? undefined : signal);
  } catch (cause) {
    if (cause instanceof GatewayError && !(signal.aborted && !finish)) throw cause;
    if (signal.aborted && !finish) throw new GatewayError({ kind: 'cancelled' }, { cause });
    if (cause instanceof TimeLimitError) throw new GatewayError({ kind: 'upstream_timeout', service: upstream.service, paid }, { cause });
    const failure = toFailure(cause, upstream, paid);
    throw failure ? new GatewayError(failure, { cause }) : cause;
  }
}

/** How long to wait before the same call may be made again; `undefined` when it must not. */
function retryWaitMs(error: unknown, retry: number, { retriesRefusals }: Upstream): number | undefined {
  if (!retriesRefusals || !(error instanceof GatewayError) || error.failure.kind !== 'upstream_status') return undefined;
  const { status, retryAfterSeconds: seconds } = error.failure;
  const isFinal = error.cause instanceof APIError && error.cause.headers?.get('x-should-retry') === 'false';
  const waitMs = seconds === undefined ? FIRST_BACKOFF_MS * 2 ** retry : seconds * 1000;
  return NOT_BEGUN.has(status) && !isFinal && waitMs <= MAX_RETRY_WAIT_MS ? waitMs : undefined;
}
