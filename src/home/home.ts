import type { Handler } from 'hono';
import { accepts } from 'hono/accepts';
import { type HttpEnv, httpError } from '../http/errors.ts';
import type { PublicUrlOf } from '../http/public-url.ts';
import { SCRIPT, STYLE } from './assets.ts';
import { type About, createHomePage, type HomeStatus } from './page.ts';

/**
 * `GET /`: what this server is, whether it is ready and how to connect, as a page for clients that accept HTML and as
 * JSON for all others. Public, so it contains no secrets. Returns 503 unless ready, like `/ready`.
 */
export function home(about: About, publicUrlOf: PublicUrlOf, statusOf: () => HomeStatus): Handler<HttpEnv> {
  const { name, version, tools } = about;
  const page = createHomePage(about);
  const policy = contentSecurityPolicy();
  return async function home(c) {
    const origin = publicUrlOf(c);
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

/** Allows only the page's own style and script, by hash, its empty icon, and requests to the gateway (CSP Level 3). */
async function contentSecurityPolicy(): Promise<string> {
  const [style, script] = await Promise.all([hashSource(STYLE), hashSource(SCRIPT)]);
  return [
    "default-src 'none'",
    `style-src ${style}`,
    `script-src ${script}`,
    'img-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

async function hashSource(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
}
