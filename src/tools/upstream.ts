import { GatewayError } from '../errors.ts';
import { toUpstreamError, type UpstreamErrorOptions } from '../openai/errors.ts';
import type { Capability, Upstream, Upstreams } from '../openai/upstreams.ts';

/** The upstream of a capability. Throws `not_configured` when nobody serves it. */
export function requireUpstream(upstreams: Upstreams, capability: Capability): Upstream {
  const upstream = upstreams[capability];
  if (upstream.available) return upstream;
  throw new GatewayError({ kind: 'not_configured', what: `${capability} (${upstream.reason})`, variables: upstream.variables });
}

/** Awaits one call to an upstream; what it throws becomes a failure of ours. */
export async function callUpstream<Answer>(upstream: Upstream, options: UpstreamErrorOptions, call: () => Promise<Answer>): Promise<Answer> {
  try {
    return await call();
  } catch (error) {
    throw toUpstreamError(error, upstream, options);
  }
}
