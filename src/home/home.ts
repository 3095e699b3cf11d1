import type { Handler } from 'hono';
import { accepts } from 'hono/accepts';
import { type HttpEnv, httpError } from '../http/errors.ts';
import type { PublicUrlOf } from '../http/public-url.ts';
import { SCRIPT, STYLE } from './assets.ts';
import { type About, createHomePage, type HomeStatus } from './page.ts';
import { contentSecurityPolicy } from './policy.ts';

/**
 * `GET /`: what this server is, whether it is ready and how to connect, as a page for clients that accept HTML and as
 * JSON for all others. Public, so it contains no secrets. Returns 503 unless ready, like `/ready`.
 */
export function home(about: About, publicUrlOf: PublicUrlOf, statusOf: () => HomeStatus): Handler<HttpEnv> {
  const { name, version, tools } = about;
  const page = createHomePage(about);
  const policy = contentSecurityPolicy(STYLE, SCRIPT);
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
