import { describe, expect, test } from 'vitest';
import { createIssuer, createKey, createToken, ISSUER } from '../stand-ins/issuer.ts';
import { CLIENT_HEADERS, CLIENT_KEY, createTestApp, readAnswer, testEnvironment, testRuntime } from '../support.ts';

const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
const METADATA = '/.well-known/oauth-protected-resource';
/** The longest header is `Bearer ` and this. */
const MAX_TOKEN_CHARACTERS = 4096 - 'Bearer '.length;

const key = await createKey('current');

function setUp(env: Record<string, string> = {}) {
  const issuer = createIssuer(key);
  const runtime = testRuntime({ fetch: issuer.fetch, now: Date.now });
  const variables = { MCP_OAUTH_ISSUER: ISSUER, MCP_OAUTH_AUDIENCE: 'api://gateway', MCP_OAUTH_SCOPES: 'mcp', ...env };
  const gateway = createTestApp(testEnvironment(variables), runtime);
  const ask = (token: string, message: object = LIST, headers: Record<string, string> = {}) =>
    gateway.post(message, { authorization: `Bearer ${token}`, ...headers });
  const call = async (token: string, name: string, args: object) => {
    const answer = await readAnswer(await ask(token, { ...LIST, method: 'tools/call', params: { name, arguments: args } }));
    return answer.result as { content: { text: string }[]; structuredContent: Record<string, unknown> };
  };
  return { ...gateway, ask, call, issuer };
}

const token = (claims: object = {}) => createToken(key, Date.now(), claims);

describe('a request', () => {
  const { app, ask, logged, issuer } = setUp();

  test('with an access token is served, and logged under its principal', async () => {
    expect((await ask(await token({ sub: 'carol' }))).status).toBe(200);
    expect(logged.join('\n')).toMatch(/"event":"request".*"principal":"carol"/);
  });

  test('with a key needs no issuer', async () => {
    issuer.requested.length = 0;
    const fresh = setUp();
    expect((await fresh.ask(CLIENT_KEY)).status).toBe(200);
    expect((await fresh.ask('a-wrong-key-of-some-length')).status).toBe(401);
    expect(fresh.issuer.requested).toEqual([]);
  });

  test('without a token is told where to sign in', async () => {
    const response = await app.request('/mcp', { method: 'POST', body: '{}' });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe(`Bearer scope="mcp", resource_metadata="http://localhost${METADATA}/mcp"`);
  });

  test.each([
    ['GET', '/sse', '/sse'],
    ['POST', '/messages?sessionId=x', '/sse'],
    ['GET', '/mcp', '/mcp'],
    ['GET', '/elsewhere', ''],
  ])('%s %s names the metadata of its endpoint', async (method, path, resource) => {
    const response = await app.request(path, { method });
    expect(response.headers.get('www-authenticate')).toContain(`resource_metadata="http://localhost${METADATA}${resource}"`);
  });

  test('with an invalid token is told why, and the log has the reason', async () => {
    const response = await ask(await token({ aud: 'api://other' }));
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe(
      `Bearer error="invalid_token", error_description="The access token is for another audience than this gateway.", scope="mcp", resource_metadata="http://localhost${METADATA}/mcp"`,
    );
    expect(await response.json()).toMatchObject({ error: { code: 'unauthorized', message: expect.stringContaining('audience') } });
    expect(logged.join('\n')).toMatch(/"event":"bearer_refused".*"reason":"wrong_audience"/);
  });

  test('without a required scope is told which', async () => {
    const response = await ask(await token({ scope: 'other' }));
    expect(response.status).toBe(403);
    expect(response.headers.get('www-authenticate')).toMatch(
      /^Bearer error="insufficient_scope", .*scope="mcp", resource_metadata="http:\/\/localhost.*\/mcp"$/,
    );
    expect(await response.json()).toMatchObject({ error: { code: 'insufficient_scope' } });
  });

  test('with a token as long as the header allows is served, and with a longer one refused without being read', async () => {
    const plain = await token({ padding: '' });
    const padding = (3 * (MAX_TOKEN_CHARACTERS - plain.length)) >> 2;
    const longest = await token({ padding: 'x'.repeat(padding) });
    expect(longest.length).toBeGreaterThan(MAX_TOKEN_CHARACTERS - 4);
    expect((await ask(longest)).status).toBe(200);
    const longer = await ask(await token({ padding: 'x'.repeat(padding + 8) }));
    expect(longer.status).toBe(401);
    expect(logged.join('\n')).toMatch(/"event":"bearer_refused".*"reason":"malformed"/);
  });

  test('from a page of an allowed origin can read the challenge', async () => {
    const response = await ask('x.y.z', LIST, { origin: 'http://localhost:3000' });
    expect(response.status).toBe(401);
    expect(response.headers.get('access-control-allow-origin')).toBe('http://localhost:3000');
    expect(response.headers.get('access-control-expose-headers')).toContain('www-authenticate');
  });
});

test('a key that has expired is refused as such, and is not taken for an access token', async () => {
  const old = 'a-key.of-three.parts-that-has-expired';
  const { ask, issuer } = setUp({ MCP_SERVER_API_KEYS: JSON.stringify({ old: { key: old, expires: '2020-01-31' } }) });
  const response = await ask(old);
  expect(response.status).toBe(401);
  expect(await response.json()).toMatchObject({
    error: { message: expect.stringContaining('key in the Authorization header has expired') },
  });
  expect(issuer.requested).toEqual([]);
});

test('while the issuer is down, clients are told to come back, and keys go on working', async () => {
  const { ask, issuer } = setUp();
  issuer.isDown = true;
  const response = await ask(await token());
  expect(response.status).toBe(503);
  expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await response.json()).toMatchObject({ error: { code: 'sign_in_unavailable' } });
  expect((await ask(CLIENT_KEY)).status).toBe(200);
});

test('principals have nothing in common: neither with each other nor with the holders of the key', async () => {
  const { call } = setUp();
  const alice = await token({ sub: 'alice' });
  const started = await call(alice, 'generate_image', { prompt: 'a lighthouse', wait_seconds: 0 });
  const job = { job_id: started.structuredContent.job_id };
  for (const other of [await token({ sub: 'bob' }), await token({ sub: 'default' }), CLIENT_KEY]) {
    expect((await call(other, 'generate_image', job)).content[0]?.text).toContain('job_unknown');
  }
  expect((await call(alice, 'generate_image', job)).structuredContent).toMatchObject({ images: [{ url: expect.any(String) }] });
});

test('a legacy stream belongs to the principal that opened it', async () => {
  const { app } = setUp();
  const headers = async (sub: string) => ({ ...CLIENT_HEADERS, authorization: `Bearer ${await token({ sub })}` });
  const stream = await app.request('/sse', { headers: { ...(await headers('alice')), accept: 'text/event-stream' } });
  const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
  const [, inbox = ''] = /data: (\S+)/.exec(new TextDecoder().decode((await reader.read()).value)) ?? [];
  const send = async (sub: string) => app.request(inbox, { method: 'POST', headers: await headers(sub), body: JSON.stringify(LIST) });
  expect((await send('bob')).status).toBe(404);
  expect((await send('alice')).status).toBe(202);
  await reader.cancel();
});

test('behind Cloudflare Access, its assertion is the token, and only there', async () => {
  const assertion = await token({ iss: 'https://team.cloudflareaccess.com' });
  const access = setUp({ MCP_OAUTH_ISSUER: 'https://team.cloudflareaccess.com', MCP_OAUTH_JWKS_URL: 'https://keys.example.com/jwks' });
  const withAssertion = { 'cf-access-jwt-assertion': assertion };
  expect((await access.ask('opaque-token-of-the-client', LIST, withAssertion)).status).toBe(200);
  expect((await access.ask('opaque-token-of-the-client', LIST, { 'cf-access-jwt-assertion': `${assertion}x` })).status).toBe(401);
  expect((await setUp().ask('opaque', LIST, { 'cf-access-jwt-assertion': await token() })).status).toBe(401);
});

describe('the metadata', () => {
  const { app } = setUp();

  test.each(['', '/mcp', '/sse'])('of "%s" names the resource, its issuer and its scopes, without a token', async (path) => {
    const response = await app.request(`${METADATA}${path}`, { headers: { origin: 'https://any.example.com' } });
    expect(response.status).toBe(200);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(await response.json()).toEqual({
      resource: `http://localhost${path}`,
      authorization_servers: [ISSUER],
      scopes_supported: ['mcp'],
      bearer_methods_supported: ['header'],
      resource_name: 'OpenAI MCP Gateway',
    });
  });

  test('can be preflighted by any page', async () => {
    const headers = {
      origin: 'https://any.example.com',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'mcp-protocol-version',
    };
    const response = await app.request(`${METADATA}/mcp`, { method: 'OPTIONS', headers });
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-headers')).toContain('mcp-protocol-version');
  });

  test('follows the host and scheme of the request, or MCP_PUBLIC_URL', async () => {
    const headers = { host: 'gateway.example.com', 'x-forwarded-proto': 'https' };
    const resource = async (configured: Record<string, string>) => {
      const response = await setUp(configured).app.request(`${METADATA}/mcp`, { headers });
      return ((await response.json()) as { resource: string }).resource;
    };
    expect(await resource({})).toBe('https://gateway.example.com/mcp');
    expect(await resource({ MCP_PUBLIC_URL: 'https://public.example.com/gateway/' })).toBe('https://public.example.com/gateway/mcp');
  });

  test('of anything else does not exist, and neither does that of an authorization server', async () => {
    for (const path of [`${METADATA}/messages`, '/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'])
      expect((await app.request(path)).status).toBe(404);
  });
});
