import { GatewayError } from '../errors.ts';
import { toFailure } from './errors.ts';
import type { Capability, Upstream, Upstreams } from './upstreams.ts';

/** The longest answers (reasoning at high effort, several large images) take minutes. */
const TIMEOUT_MS = 10 * 60_000;

export type CallOptions = Readonly<{
  /** Whether the request costs money once it has been received. */
  paid: boolean;
  /** Aborted when the client goes away or asks to stop. */
  signal: AbortSignal;
  /** How long the answer may take: its body included, unless the call resolves before that is read. */
  timeoutMs?: number;
}>;

/** For media: compressing it gains nothing, and hides its length. */
export const UNCOMPRESSED = { 'accept-encoding': 'identity' };

/** The upstream of a capability. Throws `not_configured` when nobody serves it. */
export function requireUpstream(upstreams: Upstreams, capability: Capability): Upstream {
  const upstream = upstreams[capability];
  if (upstream.available) return upstream;
  throw new GatewayError({ kind: 'not_configured', what: `${capability} (${upstream.reason})`, variables: upstream.variables });
}

/**
 * Makes one call to an upstream. The failures of the upstream are thrown as ours; anything else is a bug and rises. Once
 * it has resolved, neither the client nor the clock ends it any more: a body that is still to be read has been paid for.
 */
export async function callUpstream<Answer>(
  upstream: Upstream,
  { paid, signal, timeoutMs = TIMEOUT_MS }: CallOptions,
  call: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const controller = new AbortController();
  let timedOut = false;
  const stop = () => controller.abort(signal.reason);
  const timer = setTimeout(() => {
    timedOut = true;
    controller.abort();
  }, timeoutMs);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await call(controller.signal);
  } catch (cause) {
    if (signal.aborted) throw new GatewayError({ kind: 'cancelled' }, { cause });
    if (timedOut) throw new GatewayError({ kind: 'upstream_timeout', service: upstream.service, paid }, { cause });
    const failure = toFailure(cause, upstream, paid);
    throw failure ? new GatewayError(failure, { cause }) : cause;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
