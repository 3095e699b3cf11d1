import type { Context, Handler } from 'hono';
import { accepts } from 'hono/accepts';
import { type HttpEnv, httpError } from '../http/errors.ts';
import { SCRIPT, STYLE } from './assets.ts';
import { type About, createHomePage, type HomeStatus } from './page.ts';

/** A host name or address, with or without a port, of which nothing means anything to HTML, JSON or a shell. */
const PLAIN_HOST = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?$/i;

/**
 * `GET /`: what this is, whether it is ready and how to connect to it, as a page for those who ask for HTML and as JSON
 * for all others. Open to everyone, so it holds nothing secret. Answered with 503 unless ready, as `/ready` is.
 */
export function home(about: About, statusOf: () => HomeStatus): Handler<HttpEnv> {
  const { name, version, tools } = about;
  const page = createHomePage(about);
  const policy = contentSecurityPolicy();
  return async function home(c) {
    const origin = originOf(c);
    if (!origin) return httpError(c, 403, 'forbidden_host', 'The Host header is no host name.');
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
 * The origin that the client has used. A proxy that ends TLS talks plain HTTP to the gateway and says so in
 * X-Forwarded-Proto; a client that makes the header up misleads itself alone, as no answer is stored.
 */
function originOf(c: Context<HttpEnv>): string | undefined {
  const url = new URL(c.req.url);
  const host = c.req.header('host') ?? url.host;
  // The first of several is what the client has spoken.
  const forwarded = c.req.header('x-forwarded-proto')?.split(',', 1)[0]?.trim().toLowerCase();
  const scheme = forwarded === 'http' || forwarded === 'https' ? forwarded : url.protocol.slice(0, -1);
  const origin = `${scheme}://${host}`;
  return PLAIN_HOST.test(host) && URL.canParse(origin) ? new URL(origin).origin : undefined;
}

/** Nothing but the page's own style and script, known by their hashes, and its empty icon (CSP Level 3). */
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
