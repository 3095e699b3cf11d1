import type { MiddlewareHandler } from 'hono';
import { isLoopbackName } from '../loopback.ts';
import { type HttpEnv, httpError } from './errors.ts';

/** The headers that MCP clients send and read (specification 2026-07-28, basic/transports, and earlier revisions). */
const ALLOWED_HEADERS = [
  'authorization',
  'content-type',
  'accept',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
  'mcp-session-id',
  'last-event-id',
].join(', ');
const EXPOSED_HEADERS = 'mcp-session-id, mcp-protocol-version, www-authenticate, x-request-id';
const PREFLIGHT_MAX_AGE_SECONDS = 86_400;

/**
 * Accepts requests from allowed browser origins and rejects others with 403 (MCP 2025-11-25, basic/transports, security
 * warning). Requests without an Origin do not come from a browser and pass. Preflights end here, before authentication,
 * because browsers send them without credentials (Fetch standard, CORS protocol).
 */
export function origin(allowedOrigins: readonly string[] | undefined): MiddlewareHandler<HttpEnv> {
  const isAllowed = allowedOrigins ? (requestOrigin: string) => allowedOrigins.includes(requestOrigin) : isLoopbackOrigin;
  return async function origin(c, next) {
    const requestOrigin = c.req.header('origin');
    if (requestOrigin === undefined) return next();
    if (!isAllowed(requestOrigin)) return httpError(c, 403, 'forbidden_origin', 'This origin is not allowed (MCP_ALLOWED_ORIGINS).');
    if (c.req.method === 'OPTIONS' && c.req.header('access-control-request-method')) {
      c.header('Access-Control-Allow-Methods', 'GET, POST, PUT, DELETE, OPTIONS');
      c.header('Access-Control-Allow-Headers', ALLOWED_HEADERS);
      c.header('Access-Control-Max-Age', String(PREFLIGHT_MAX_AGE_SECONDS));
      setOrigin(c.header, requestOrigin);
      return c.body(null, 204);
    }
    await next();
    setOrigin(c.header, requestOrigin);
    c.header('Access-Control-Expose-Headers', EXPOSED_HEADERS);
  };
}

/** Echoes the requesting origin, never `*`; `Vary` keeps caches from serving the response to another. */
function setOrigin(header: (name: string, value: string, options?: { append: boolean }) => void, requestOrigin: string): void {
  header('Access-Control-Allow-Origin', requestOrigin);
  header('Vary', 'Origin', { append: true });
}

function isLoopbackOrigin(requestOrigin: string): boolean {
  return (
    URL.canParse(requestOrigin) && /^https?:$/.test(new URL(requestOrigin).protocol) && isLoopbackName(new URL(requestOrigin).hostname)
  );
}
