import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { CLIENT_KEY, createTestApp, testEnvironment } from '../support.ts';

const LIST = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
const PREFLIGHT = {
  'access-control-request-method': 'POST',
  'access-control-request-headers': 'authorization,content-type,mcp-protocol-version',
};

function setUp(env: Record<string, string> = {}) {
  const { app } = createTestApp(testEnvironment(env));
  const headers = { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' };
  return {
    preflight: (origin: string) => app.request('/mcp', { method: 'OPTIONS', headers: { origin, ...PREFLIGHT } }),
    post: (more: Record<string, string>, path = '/mcp') =>
      app.request(path, { method: 'POST', headers: { ...headers, ...more }, body: LIST }),
    get: (path: string, more: Record<string, string>) => app.request(path, { headers: more }),
  };
}

describe('origins', () => {
  test.each(['http://localhost:5173', 'https://localhost', 'http://127.0.0.1:6274', 'http://[::1]:3000', 'http://app.localhost'])(
    '%s is allowed by default',
    async (origin) => {
      const { preflight, post } = setUp();
      const asked = await preflight(origin);
      expect(asked.status).toBe(204);
      expect(asked.headers.get('access-control-allow-origin')).toBe(origin);
      expect(asked.headers.get('access-control-allow-methods')).toContain('POST');
      for (const header of [
        'authorization',
        'content-type',
        'mcp-protocol-version',
        'mcp-method',
        'mcp-name',
        'mcp-session-id',
        'last-event-id',
      ]) {
        expect(asked.headers.get('access-control-allow-headers')).toContain(header);
      }
      const answered = await post({ origin });
      expect(answered.status).toBe(200);
      expect(answered.headers.get('access-control-allow-origin')).toBe(origin);
      expect(answered.headers.get('access-control-expose-headers')).toContain('mcp-session-id');
      expect(answered.headers.get('vary')).toContain('Origin');
    },
  );

  test.each([
    'https://evil.example',
    'http://localhost.evil.example',
    'http://127.0.0.1.evil.example',
    'null',
    'file://',
    'localhost',
    'chrome-extension://abc',
  ])('%s is rejected before authentication', async (origin) => {
    const { preflight, post } = setUp();
    for (const response of [await preflight(origin), await post({ origin }), await post({ origin, authorization: '' })]) {
      expect(response.status).toBe(403);
      expect(response.headers.get('access-control-allow-origin')).toBeNull();
      expect(await response.json()).toMatchObject({ error: { code: 'forbidden_origin' } });
    }
  });

  test('a list replaces the default', async () => {
    const { post } = setUp({ MCP_ALLOWED_ORIGINS: 'https://App.example.com:443/, https://other.example.com' });
    expect((await post({ origin: 'https://app.example.com' })).status).toBe(200);
    expect((await post({ origin: 'https://other.example.com' })).status).toBe(200);
    expect((await post({ origin: 'http://localhost:5173' })).status).toBe(403);
    expect((await post({ origin: 'http://app.example.com' })).status).toBe(403);
  });

  test('a browser can read a 401', async () => {
    const response = await setUp().post({ origin: 'http://localhost:5173', authorization: 'Bearer wrong' });
    expect(response.status).toBe(401);
    expect(response.headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
  });

  test('other clients send no Origin and get no CORS headers', async () => {
    const response = await setUp().post({});
    expect(response.status).toBe(200);
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });

  test.each(['*', 'app.example.com', 'https://app.example.com/path', 'https://*.example.com/x'])(
    '%s is not an origin',
    (MCP_ALLOWED_ORIGINS) => {
      expect(loadConfig({ MCP_SERVER_API_KEY: 'k', MCP_ALLOWED_ORIGINS })).toMatchObject({
        ok: false,
        problems: [{ variable: 'MCP_ALLOWED_ORIGINS' }],
      });
    },
  );
});

describe('hosts', () => {
  test.each(['localhost', 'localhost:8000', '127.0.0.1:8000', '[::1]:8000'])('a server on loopback accepts %s', async (name) => {
    expect((await setUp({ HOST: '127.0.0.1' }).post({ host: name })).status).toBe(200);
  });

  test.each(['evil.example', 'evil.example:8000', '127.0.0.1.evil.example', '192.168.0.7', 'localhost@evil.example', ''])(
    'but not "%s"',
    async (name) => {
      const response = await setUp({ HOST: 'localhost' }).post({ host: name });
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ error: { code: 'forbidden_host' } });
    },
  );

  test('a server on every address accepts every name', async () => {
    expect((await setUp().post({ host: 'gateway.example.com' })).status).toBe(200);
  });

  test('a list overrides the default, with or without ports', async () => {
    const { post, get } = setUp({ MCP_ALLOWED_HOSTS: 'gateway.example.com, other.example.com:8443' });
    expect((await post({ host: 'gateway.example.com' })).status).toBe(200);
    expect((await post({ host: 'gateway.example.com:9999' })).status).toBe(200);
    expect((await post({ host: 'other.example.com:8443' })).status).toBe(200);
    expect((await post({ host: 'other.example.com' })).status).toBe(403);
    expect((await post({ host: 'localhost' })).status).toBe(403);
    expect((await get('/health', { host: '10.0.0.7' })).status).toBe(200);
  });
});
