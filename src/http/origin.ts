import type { MiddlewareHandler } from 'hono';
import { type HttpEnv, httpError } from './errors.ts';
import { isLoopbackName } from './host.ts';

/** What MCP clients send and read (specification 2026-07-28, basic/transports, and the revisions before it). */
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
 * Lets the browser origins call that are allowed, and refuses all others with 403 (MCP 2025-11-25, basic/transports,
 * security warning). Requests without an Origin come from no browser, and pass. Preflights are answered here, before
 * any key is asked for, as browsers send none with them (Fetch standard, CORS protocol).
 */
export function origin(allowedOrigins: readonly string[] | undefined): MiddlewareHandler<HttpEnv> {
  const isAllowed = allowedOrigins ? (given: string) => allowedOrigins.includes(given) : isLoopbackOrigin;
  return async function origin(c, next) {
    const given = c.req.header('origin');
    if (given === undefined) return next();
    if (!isAllowed(given)) return httpError(c, 403, 'forbidden_origin', 'This origin may not call the gateway (MCP_ALLOWED_ORIGINS).');
    if (c.req.method === 'OPTIONS' && c.req.header('access-control-request-method')) {
      c.header('Access-Control-Allow-Methods', 'GET, POST, DELETE, OPTIONS');
      c.header('Access-Control-Allow-Headers', ALLOWED_HEADERS);
      c.header('Access-Control-Max-Age', String(PREFLIGHT_MAX_AGE_SECONDS));
      setOrigin(c.header, given);
      return c.body(null, 204);
    }
    await next();
    setOrigin(c.header, given);
    c.header('Access-Control-Expose-Headers', EXPOSED_HEADERS);
  };
}

/** The one origin that asked, never `*`; caches must not give the answer to another. */
function setOrigin(header: (name: string, value: string, options?: { append: boolean }) => void, given: string): void {
  header('Access-Control-Allow-Origin', given);
  header('Vary', 'Origin', { append: true });
}

function isLoopbackOrigin(given: string): boolean {
  return URL.canParse(given) && /^https?:$/.test(new URL(given).protocol) && isLoopbackName(new URL(given).hostname);
}
