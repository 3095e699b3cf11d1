/** Allows only the page's own style and script, by hash, its empty icon, and requests to the gateway (CSP Level 3). */
export async function contentSecurityPolicy(ownStyle: string, ownScript: string): Promise<string> {
  const [style, script] = await Promise.all([hashSource(ownStyle), hashSource(ownScript)]);
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
