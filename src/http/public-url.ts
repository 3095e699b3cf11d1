import type { Context } from 'hono';
import type { HttpEnv } from './errors.ts';

/** The base URL under which a client reaches the gateway, without a trailing slash; `undefined` if its Host header is malformed. */
export type PublicUrlOf = (c: Context<HttpEnv>) => string | undefined;

/** A host name or address, with or without a port, free of characters special to HTML, JSON or a shell. */
const PLAIN_HOST = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?$/i;

/**
 * What the operator has set, or the origin that the client used. A TLS-terminating proxy talks plain HTTP to the gateway
 * and reports the original scheme in X-Forwarded-Proto; a client that forges the header misleads only itself, as no
 * response with the origin is cached. On Workers, whose clients share what is learned of it, requests have the true scheme.
 */
export function createPublicUrlOf(configured?: string): PublicUrlOf {
  // Nearly every request has the same.
  let known: { host: string; scheme: string; url: string } | undefined;
  return (c) => {
    if (configured !== undefined) return configured;
    const host = c.req.header('host') ?? new URL(c.req.url).host;
    const scheme = schemeOf(c);
    if (known?.host === host && known.scheme === scheme) return known.url;
    const origin = `${scheme}://${host}`;
    if (!PLAIN_HOST.test(host) || !URL.canParse(origin)) return undefined;
    known = { host, scheme, url: new URL(origin).origin };
    return known.url;
  };
}

function schemeOf({ req }: Context<HttpEnv>): string {
  if (req.url.startsWith('https:')) return 'https';
  // The first of several values is the client's own scheme.
  const forwarded = req.header('x-forwarded-proto')?.split(',', 1)[0]?.trim().toLowerCase();
  return forwarded === 'https' ? 'https' : 'http';
}
