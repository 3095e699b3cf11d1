import type { MiddlewareHandler } from 'hono';
import { type HttpEnv, httpError } from './errors.ts';

/**
 * Answers only under the names it is known by, so that a page whose name was made to point here (DNS rebinding) gets
 * nothing. Without a list, a server that listens on loopback is known by loopback names, and any other by every name.
 */
export function host(allowedHosts: readonly string[] | undefined, listensOn: string): MiddlewareHandler<HttpEnv> {
  const isAllowed = allowedHosts ? isListed(allowedHosts) : isLoopbackName(listensOn) ? isLoopbackName : () => true;
  return async function host(c, next) {
    const given = c.req.header('host') ?? new URL(c.req.url).host;
    const url = URL.canParse(`http://${given}`) ? new URL(`http://${given}`) : undefined;
    if (url && (isAllowed(url.hostname) || isAllowed(url.host))) return next();
    return httpError(c, 403, 'forbidden_host', 'The gateway does not answer under this host name (MCP_ALLOWED_HOSTS).');
  };
}

const isListed = (allowedHosts: readonly string[]) => (given: string) => allowedHosts.includes(given);

/** Whether a host name or address, without a port, is this machine's own; `[::1]` with or without brackets. */
export function isLoopbackName(hostname: string): boolean {
  return (
    hostname === 'localhost' || hostname.endsWith('.localhost') || /^127(\.\d{1,3}){3}$/.test(hostname) || /^\[?::1\]?$/.test(hostname)
  );
}
