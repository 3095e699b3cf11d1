import { fileURLToPath } from 'node:url';
import type { McpUiResourceMeta } from '@modelcontextprotocol/ext-apps/app-bridge';
import { buildAllowAttribute } from '@modelcontextprotocol/ext-apps/app-bridge';
import { build } from 'esbuild';
import { Hono } from 'hono';
import { type RunningServer, serve } from '../stand-ins/serve.ts';

export type ServedApp = Readonly<{ hostUrl: string; appUrl: string; close: () => Promise<void> }>;

/**
 * Serves an app as hosts on the web do: sandboxed, from another origin than the host's page, and under the policy that
 * its metadata allows (MCP Apps 2026-01-26, content security policy enforcement).
 */
export async function serveApp(html: string, { csp, permissions }: McpUiResourceMeta): Promise<ServedApp> {
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL('app-host-page.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    write: false,
  });
  const script = bundle.outputFiles[0]?.text ?? '';
  const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Host</title><link rel="icon" href="data:,"></head>
<body style="margin: 0"><iframe title="app" sandbox="allow-scripts" allow="${buildAllowAttribute(permissions)}" style="display: block; width: 100%; border: 0"></iframe>
<script type="module" src="/host.js"></script></body></html>`;
  const app = new Hono().get('/', (c) => c.html(html, 200, { 'Content-Security-Policy': policyOf(csp) }));
  const host = new Hono().get('/', (c) => c.html(page)).get('/host.js', (c) => c.body(script, 200, { 'Content-Type': 'text/javascript' }));
  const servers: RunningServer[] = [await serve(host), await serve(app)];
  const [hostUrl, appUrl] = servers.map(({ url }) => url) as [string, string];
  return { hostUrl, appUrl, close: async () => void (await Promise.all(servers.map((server) => server.close()))) };
}

function policyOf({ connectDomains = [], resourceDomains = [] }: NonNullable<McpUiResourceMeta['csp']> = {}): string {
  const allowed = resourceDomains.join(' ');
  return [
    "default-src 'none'",
    `script-src 'self' 'unsafe-inline' ${allowed}`,
    `style-src 'self' 'unsafe-inline' ${allowed}`,
    `img-src 'self' data: ${allowed}`,
    `font-src 'self' ${allowed}`,
    `media-src 'self' data: ${allowed}`,
    `connect-src ${connectDomains.join(' ') || "'none'"}`,
    "frame-src 'none'",
    "object-src 'none'",
    "base-uri 'self'",
  ].join('; ');
}
