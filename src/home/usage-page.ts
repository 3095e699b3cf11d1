import type { MiddlewareHandler } from 'hono';
import { accepts } from 'hono/accepts';
import { html, raw } from 'hono/html';
import type { HttpEnv } from '../http/errors.ts';
import { STYLE } from './assets.ts';
import { type About, headOf } from './page.ts';
import { contentSecurityPolicy } from './policy.ts';
import { USAGE_SCRIPT, USAGE_STYLE } from './usage-assets.ts';

/**
 * `GET /usage` in a browser: a page that asks for a key, with which its script fetches the report from the same path. It
 * contains no data. Requests with a bearer, and those that prefer JSON, are left to the report.
 */
export function usagePage(about: Pick<About, 'title'>): MiddlewareHandler<HttpEnv> {
  const style = STYLE + USAGE_STYLE;
  const page = createUsagePage(about.title, style);
  const policy = contentSecurityPolicy(style, USAGE_SCRIPT);
  return async function usagePage(c, next) {
    const type = accepts(c, { header: 'Accept', supports: ['application/json', 'text/html'], default: 'application/json' });
    if (type !== 'text/html' || c.req.header('authorization') !== undefined) return next();
    c.header('Vary', 'Accept, Authorization');
    c.header('Cache-Control', 'no-store');
    c.header('X-Content-Type-Options', 'nosniff');
    c.header('Referrer-Policy', 'no-referrer');
    c.header('Content-Security-Policy', await policy);
    return c.html(page);
  };
}

function createUsagePage(gateway: string, style: string) {
  return html`<!doctype html>
<html lang="en">
${headOf({ title: `Usage · ${gateway}`, description: 'What was used and spent, by day, principal, tool and model.' }, style)}
<body>
<header>
<h1>Usage</h1>
<p>What was used and spent, by day in UTC. A key shows its own principal; the operator's key shows all. The key is not kept.</p>
</header>
<main>
<noscript><p>This page needs JavaScript. <code>curl -H "Authorization: Bearer KEY"</code> gets the same as JSON.</p></noscript>
<form hidden>
<label>Key <input name="key" type="password" autocomplete="off" required></label>
<label>Days <select name="days"><option value="31">last 31 days<option value="7">last 7 days<option value="1">today</select></label>
<label>Bars <select name="measure"><option value="cost_usd">cost<option value="calls">calls<option value="tokens">tokens<option value="bytes">stored bytes</select></label>
<button>Show</button>
<p class="outcome" role="alert"></p>
</form>
<div class="report"></div>
</main>
<footer><p><a href="./">About this gateway</a></p></footer>
<p class="unseen" role="status"></p>
<script>${raw(USAGE_SCRIPT)}</script>
</body>
</html>
`;
}
