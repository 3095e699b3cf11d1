import { describe, expect, test } from 'vitest';
import { createApp, createMisconfiguredApp } from '../../src/app.ts';
import { CLIENT_KEY, createTestApp, testRuntime } from '../support.ts';

const MIB = 1024 * 1024;
const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' };

/** A body of unknown length; `pulled` counts the reads. */
function endless() {
  const state = { pulled: 0 };
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        state.pulled++;
        controller.enqueue(new Uint8Array(MIB).fill(32));
      },
    },
    { highWaterMark: 0 },
  );
  return { body, state };
}

describe('bearer', () => {
  const { app } = createTestApp();
  const ask = (authorization: string | undefined, path = '/mcp') =>
    app.request(path, { method: 'POST', headers: authorization === undefined ? {} : { authorization }, body: '{}' });

  test.each([
    ['no header', undefined],
    ['an empty header', ''],
    ['no token', 'Bearer '],
    ['another scheme', `Basic ${btoa(`user:${CLIENT_KEY}`)}`],
    ['the bare token', CLIENT_KEY],
    ['a wrong token', 'Bearer wrong'],
    ['a longer token', `Bearer ${CLIENT_KEY}x`],
    ['a shorter token', `Bearer ${CLIENT_KEY.slice(0, -1)}`],
    ['another case', `Bearer ${CLIENT_KEY.toUpperCase()}`],
    ['two headers, joined', `Bearer ${CLIENT_KEY}, Bearer ${CLIENT_KEY}`],
    ['a huge header', `Bearer ${'x'.repeat(100_000)}`],
  ])('%s returns 401 and the challenge', async (_, header) => {
    const response = await ask(header);
    expect(response.status).toBe(401);
    // RFC 6750 section 3.1: an error code only if there is a token.
    const error = /^bearer +\S/i.test(header ?? '') ? / error="invalid_token", error_description="The key [^"\\]+"$/ : /^Bearer$/;
    expect(response.headers.get('www-authenticate')).toMatch(error);
    expect(await response.json()).toMatchObject({ error: { code: 'unauthorized', request_id: response.headers.get('x-request-id') } });
  });

  test.each(['Bearer', 'bearer', 'BEARER'])('accepts the scheme "%s" (RFC 9110: case-insensitive)', async (scheme) => {
    expect((await ask(`${scheme} ${CLIENT_KEY}`)).status).not.toBe(401);
  });

  test('a token in the query string is never accepted', async () => {
    for (const name of ['access_token', 'token', 'key', 'api_key', 'authorization']) {
      expect((await ask(undefined, `/mcp?${name}=${CLIENT_KEY}`)).status).toBe(401);
    }
  });

  test('every path except /, /health and /ready requires the token, even unknown ones', async () => {
    for (const path of ['/mcp', '/sse', '/no-such-path', '/health/x', '//', '/index.html'])
      expect((await app.request(path)).status).toBe(401);
    for (const path of ['/', '/health', '/ready']) expect((await app.request(path)).status).toBe(200);
  });

  test('OAuth clients find no metadata, and an attempt to register is told about the key', async () => {
    for (const path of ['oauth-protected-resource/mcp', 'oauth-authorization-server', 'openid-configuration'])
      expect((await app.request(`/.well-known/${path}`)).status).toBe(404);
    const { body, state } = endless();
    const response = await app.request('/register', { method: 'POST', body, duplex: 'half' } as RequestInit);
    expect(response.status).toBe(403);
    const { error, error_description } = (await response.json()) as Record<string, string>;
    expect(error).toBe('access_denied');
    expect(error_description).toMatch(/key.*missing or wrong.*no OAuth.*Bearer <key>/);
    expect(state.pulled).toBe(0);
  });

  test('the body of a rejected request is not read', async () => {
    const { body, state } = endless();
    await app.request('/mcp', { method: 'POST', body, duplex: 'half' } as RequestInit);
    expect(state.pulled).toBe(0);
  });
});

describe('bodies', () => {
  const { app, post } = createTestApp();

  test('a declared length over 4 MiB returns 413', async () => {
    const response = await post(JSON.stringify({ ...LIST, params: { padding: 'x'.repeat(4 * MIB) } }), {
      'content-length': String(4 * MIB + 100),
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error: { code: 'payload_too_large', message: expect.stringContaining('4194304') } });
  });

  test('an undeclared length over 4 MiB returns 413 without reading to the end', async () => {
    const { body, state } = endless();
    const headers = { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' };
    const response = await app.request('/mcp', { method: 'POST', headers, body, duplex: 'half' } as RequestInit);
    expect(response.status).toBe(413);
    expect(state.pulled).toBeLessThan(8);
  });

  test('a body just under 4 MiB is accepted', async () => {
    const response = await post({ ...LIST, params: { _meta: { padding: 'x'.repeat(4 * MIB - 1000) } } });
    expect(response.status).toBe(200);
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp', ''])(
    'the content type "%s" returns 415',
    async (type) => {
      const response = await post(LIST, { 'content-type': type });
      expect(response.status).toBe(415);
      expect(await response.json()).toMatchObject({ error: { code: 'unsupported_media_type' } });
    },
  );

  test('parameters and case of the content type do not matter', async () => {
    expect((await post(LIST, { 'content-type': 'Application/JSON; charset=utf-8' })).status).toBe(200);
  });

  test.each(['', '{', 'hello', '{"jsonrpc":'])('%j returns a JSON-RPC parse error', async (text) => {
    const response = await post(text);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32700 } });
  });

  test.each([['[]'], ['null'], ['5'], ['"text"'], [JSON.stringify([LIST, { ...LIST, id: 2 }])]])(
    '%s returns an invalid-request error',
    async (text) => {
      const response = await post(text);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32600 } });
    },
  );

  test('the error for a batch says why', async () => {
    const answer = await (await post([LIST])).json();
    expect(answer).toMatchObject({ error: { code: -32600, message: expect.stringMatching(/batch/i) } });
  });
});

describe('routes', () => {
  const { app } = createTestApp();
  const headers = { authorization: `Bearer ${CLIENT_KEY}` };

  test.each(['GET', 'DELETE', 'PUT'])('%s /mcp returns 405', async (method) => {
    const response = await app.request('/mcp', { method, headers });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
    expect(await response.json()).toMatchObject({ error: { code: 'method_not_allowed' } });
  });

  test('anything else returns 404 as JSON', async () => {
    const response = await app.request('/no-such-path', { headers });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { code: 'not_found', request_id: expect.any(String) } });
  });

  test('/health returns the version, /ready the readiness', async () => {
    expect(await (await app.request('/health')).json()).toEqual({ status: 'ok', version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
    expect(await (await app.request('/ready')).json()).toEqual({ status: 'ready' });
  });
});

test('/ready returns 503 while the server drains', async () => {
  const { gateway, sessions } = createTestApp();
  const app = createApp(gateway, { sessions, isDraining: () => true });
  const response = await app.request('/ready');
  expect(response.status).toBe(503);
  expect(await response.json()).toEqual({ status: 'draining' });
});

describe('a wrong configuration', () => {
  const app = createMisconfiguredApp([{ variable: 'PORT', problem: 'must be a whole number from 0 to 65535' }], testRuntime());

  test('requests get 503 with the names of the variables', async () => {
    for (const path of ['/mcp', '/ready']) {
      const response = await app.request(path);
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({ error: { code: 'not_configured', message: expect.stringMatching(/PORT.*0.*65535/) } });
    }
  });

  test('/health still works', async () => {
    expect((await app.request('/health')).status).toBe(200);
  });
});

test('the log has a line for each request, with neither key nor body', async () => {
  const { post, logged } = createTestApp();
  const response = await post({ ...LIST, params: { _meta: { secret: 'of the client' } } });
  expect(logged.map((line) => JSON.parse(line))).toContainEqual(
    expect.objectContaining({
      event: 'request',
      method: 'POST',
      path: '/mcp',
      status: 200,
      request_id: response.headers.get('x-request-id'),
    }),
  );
  expect(logged.join()).not.toMatch(new RegExp(`${CLIENT_KEY}|of the client`));
});
