import type { Context, Handler } from 'hono';
import { accepts } from 'hono/accepts';
import { type HttpEnv, httpError } from '../http/errors.ts';
import { SCRIPT, STYLE } from './assets.ts';
import { type About, createHomePage, type HomeStatus } from './page.ts';

/** A host name or address, with or without a port, free of characters special to HTML, JSON or a shell. */
const PLAIN_HOST = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?$/i;

/**
 * `GET /`: what this server is, whether it is ready and how to connect, as a page for clients that accept HTML and as
 * JSON for all others. Public, so it contains no secrets. Returns 503 unless ready, like `/ready`.
 */
export function home(about: About, statusOf: () => HomeStatus): Handler<HttpEnv> {
  const { name, version, tools } = about;
  const page = createHomePage(about);
  const policy = contentSecurityPolicy();
  return async function home(c) {
    const origin = originOf(c);
    if (!origin) return httpError(c, 403, 'forbidden_host', 'The Host header is malformed.');
    const status = statusOf();
    const code = status.status === 'ready' ? 200 : 503;
    c.header('Vary', 'Accept');
    c.header('Cache-Control', 'no-store');
    c.header('X-Content-Type-Options', 'nosniff');
    c.header('Referrer-Policy', 'no-referrer');
    const type = accepts(c, { header: 'Accept', supports: ['application/json', 'text/html'], default: 'application/json' });
    if (type !== 'text/html') return c.json({ name, version, ...status, mcp: `${origin}/mcp`, tools }, code);
    c.header('Content-Security-Policy', await policy);
    return c.html(page(origin, status), code);
  };
}

/**
 * The origin that the client used. A TLS-terminating proxy talks plain HTTP to the gateway and reports the original
 * scheme in X-Forwarded-Proto; a client that forges the header misleads only itself, as the response is not cached.
 */
function originOf(c: Context<HttpEnv>): string | undefined {
  const url = new URL(c.req.url);
  const host = c.req.header('host') ?? url.host;
  // The first of several values is the client's own scheme.
  const forwarded = c.req.header('x-forwarded-proto')?.split(',', 1)[0]?.trim().toLowerCase();
  const scheme = forwarded === 'http' || forwarded === 'https' ? forwarded : url.protocol.slice(0, -1);
  const origin = `${scheme}://${host}`;
  return PLAIN_HOST.test(host) && URL.canParse(origin) ? new URL(origin).origin : undefined;
}

/** Allows only the page's own style and script, by hash, and its empty icon (CSP Level 3). */
async function contentSecurityPolicy(): Promise<string> {
  const [style, script] = await Promise.all([hashSource(STYLE), hashSource(SCRIPT)]);
  return [
    "default-src 'none'",
    `style-src ${style}`,
    `script-src ${script}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

async function hashSource(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
}
