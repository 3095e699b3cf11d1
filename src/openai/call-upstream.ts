import { APIError } from 'openai/error';
import { GatewayError } from '../errors.ts';
import { UPSTREAM_TIMEOUT_MS } from '../limits.ts';
import { TimeLimitError, withTimeLimit } from '../streams/time-limit.ts';
import { toFailure } from './errors.ts';
import type { Capability, Upstream, Upstreams } from './upstreams.ts';

export type CallOptions = Readonly<{
  /** Whether the request is billed once it has been received. */
  paid: boolean;
  /** Aborted when the client disconnects or cancels. */
  signal: AbortSignal;
  /** Ignores `signal` once the request is sent, because the result is worth keeping even without a client. */
  finish?: boolean | undefined;
  /** Limits everything that `call` does. */
  timeoutMs?: number;
}>;

/** For media: compression gains nothing and hides the length. */
export const UNCOMPRESSED = { 'accept-encoding': 'identity' };

const MAX_RETRIES = 2;
const MAX_RETRY_WAIT_MS = 10_000;
const FIRST_BACKOFF_MS = 500;
/** Too many requests, and overloaded: the server has not started. After any other failure the request may be billed. */
const NOT_STARTED = new Set([429, 503]);

/** The upstream of a capability. Throws `not_configured` when there is none. */
export function requireUpstream(upstreams: Upstreams, capability: Capability): Upstream {
  const upstream = upstreams[capability];
  if (upstream.available) return upstream;
  throw new GatewayError({ kind: 'not_configured', what: `${capability} (${upstream.reason})`, variables: upstream.variables });
}

/**
 * Makes one call to an upstream. Upstream failures become a `GatewayError`; anything else is a bug and propagates. A
 * call that the upstream rejected before starting (429, 503) is retried where the capability allows it, after the delay
 * the upstream asks for; if that exceeds ten seconds, the failure is thrown instead.
 */
export async function callUpstream<Result>(
  upstream: Upstream,
  options: CallOptions,
  call: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  // The first call of a process loads it, which takes a while, and a client that leaves meanwhile has sent nothing.
  await upstream.client();
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
    if (signal.aborted && !finish) throw new GatewayError({ kind: 'cancelled', sent: paid }, { cause });
    if (cause instanceof GatewayError) throw cause;
    if (cause instanceof TimeLimitError) throw new GatewayError({ kind: 'upstream_timeout', service: upstream.service, paid }, { cause });
    const failure = toFailure(cause, upstream, paid);
    throw failure ? new GatewayError(failure, { cause }) : cause;
  }
}

/** The delay before a retry; `undefined` when the call must not be retried. */
function retryWaitMs(error: unknown, retry: number, { retriesNotStarted }: Upstream): number | undefined {
  if (!retriesNotStarted || !(error instanceof GatewayError) || error.failure.kind !== 'upstream_status') return undefined;
  const { status, retryAfterSeconds: seconds } = error.failure;
  const isFinal = error.cause instanceof APIError && error.cause.headers?.get('x-should-retry') === 'false';
  const waitMs = seconds === undefined ? FIRST_BACKOFF_MS * 2 ** retry : seconds * 1000;
  return NOT_STARTED.has(status) && !isFinal && waitMs <= MAX_RETRY_WAIT_MS ? waitMs : undefined;
}
