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
  /** How long the whole answer may take, its body included. */
  timeoutMs?: number;
}>;

/** The upstream of a capability. Throws `not_configured` when nobody serves it. */
export function requireUpstream(upstreams: Upstreams, capability: Capability): Upstream {
  const upstream = upstreams[capability];
  if (upstream.available) return upstream;
  throw new GatewayError({ kind: 'not_configured', what: `${capability} (${upstream.reason})`, variables: upstream.variables });
}

/**
 * Makes one call to an upstream. The client's own timeout ends with the headers of the answer; this one covers the
 * body too. Whatever the call throws is thrown as a failure of ours.
 */
export async function callUpstream<Answer>(
  upstream: Upstream,
  { paid, signal, timeoutMs = TIMEOUT_MS }: CallOptions,
  call: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await call(AbortSignal.any([signal, timeout]));
  } catch (cause) {
    if (signal.aborted) throw new GatewayError({ kind: 'cancelled' }, { cause });
    if (timeout.aborted) throw new GatewayError({ kind: 'upstream_timeout', service: upstream.service, paid }, { cause });
    throw new GatewayError(toFailure(cause, upstream, paid), { cause });
  }
}
