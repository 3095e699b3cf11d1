import type { MiddlewareHandler } from 'hono';
import { isLoopbackName } from '../loopback.ts';
import { type HttpEnv, httpError } from './errors.ts';

/**
 * Allows only known Host names, which defeats DNS rebinding. By default, a server that listens on loopback allows
 * loopback names, and any other server allows every name.
 */
export function host(allowedHosts: readonly string[] | undefined, listensOn: string): MiddlewareHandler<HttpEnv> {
  const isAllowed = allowedHosts ? isListed(allowedHosts) : isLoopbackName(listensOn) ? isLoopbackName : () => true;
  // Nearly every request names the same host.
  let allowed: string | undefined;
  return async function host(c, next) {
    const requested = c.req.header('host') ?? new URL(c.req.url).host;
    if (requested === allowed) return next();
    const url = URL.canParse(`http://${requested}`) ? new URL(`http://${requested}`) : undefined;
    if (url && (isAllowed(url.hostname) || isAllowed(url.host))) {
      allowed = requested;
      return next();
    }
    return httpError(c, 403, 'forbidden_host', 'This host name is not allowed (MCP_ALLOWED_HOSTS).');
  };
}

const isListed = (allowedHosts: readonly string[]) => (requested: string) => allowedHosts.includes(requested);
