import { Hono } from 'hono';
import { describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { createApp, createMisconfiguredApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { home } from '../../src/home/home.ts';
import type { HttpEnv } from '../../src/http/errors.ts';
import { createPublicUrlOf } from '../../src/http/public-url.ts';
import { tools } from '../../src/tools/index.ts';
import { CLIENT_KEY, createTestApp, testEnvironment, testRuntime } from '../support.ts';

const HTML = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };
const JSON_ONLY = { accept: 'application/json' };

function setUp(env: Record<string, string> = {}) {
  const { app } = createTestApp(testEnvironment(env));
  return (headers: Record<string, string>, method = 'GET') => app.request('/', { method, headers });
}

describe('as JSON', () => {
  const get = setUp();

  test('contains name, version, status, endpoint and tools', async () => {
    const response = await get(JSON_ONLY);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      name: 'openai-mcp-gateway',
      version: packageJson.version,
      status: 'ready',
      mcp: 'http://localhost/mcp',
      tools: tools.map(({ name, title, description }) => ({ name, title, description })),
    });
  });
});

describe('content negotiation', () => {
  const get = setUp();
  const typeFor = async (headers: Record<string, string>) => (await get(headers)).headers.get('content-type')?.split(';')[0];

  test.each(['*/*', 'application/json', 'application/json, text/plain, */*', 'text/html;q=0.5, application/json', 'image/png', ''])(
    '"%s" gets JSON',
    async (accept) => {
      expect(await typeFor({ accept })).toBe('application/json');
    },
  );

  test('no Accept header gets JSON', async () => {
    expect(await typeFor({})).toBe('application/json');
  });

  test.each([HTML.accept, 'text/html', 'TEXT/HTML', 'text/*', 'application/json;q=0.5, text/html', 'text/html, */*'])(
    '"%s" gets HTML',
    async (accept) => {
      expect(await typeFor({ accept })).toBe('text/html');
    },
  );
});

describe('headers', () => {
  const get = setUp();

  test.each([HTML, JSON_ONLY])('%j: no caching, sniffing or referrers', async (headers) => {
    const response = await get(headers);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      vary: 'Accept',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
  });

  test("the policy allows only the page's own style and script, by hash", async () => {
    const response = await get(HTML);
    const page = await response.text();
    const hash = async (element: string) => {
      const [, text] = new RegExp(`<${element}>([^]*?)</${element}>`).exec(page) ?? [];
      const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
      return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
    };
    expect(response.headers.get('content-security-policy')).toBe(
      `default-src 'none'; style-src ${await hash('style')}; script-src ${await hash('script')}; img-src data:; connect-src 'self'; ` +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(page).not.toMatch(/ style=| on[a-z]+=/);
  });

  test.each([HTML, JSON_ONLY])('HEAD returns those of GET without a body: %j', async (headers) => {
    const [head, get_] = [await get(headers, 'HEAD'), await get(headers)];
    const comparable = (response: Response) => ({ ...Object.fromEntries(response.headers), 'x-request-id': '', 'content-length': '' });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe('');
    expect(comparable(head)).toEqual(comparable(get_));
  });
});

describe('the page', () => {
  test('lists the tools and contains no key', async () => {
    const env = testEnvironment();
    const page = await (await createTestApp(env).app.request('/', { headers: HTML })).text();
    for (const { name, title } of tools) {
      expect(page).toContain(`<h3>${title}</h3>`);
      expect(page).toContain(`>${name}</code>`);
    }
    expect(page).toContain(packageJson.version);
    for (const secret of [CLIENT_KEY, env.OPENAI_API_KEY, env.AZURE_STORAGE_CONNECTION_STRING]) expect(page).not.toContain(secret);
  });

  test('loads nothing, and links to the usage and the protocol alone', async () => {
    const page = await (await setUp()(HTML)).text();
    expect(page).not.toMatch(/ src=|@import|url\(/);
    expect([...page.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual(['data:,', 'usage', 'https://modelcontextprotocol.io']);
  });
});

describe('the description', () => {
  const about = {
    name: 'n',
    title: '<b>"Title"</b>',
    version: '1',
    description: 'a & b',
    homepage: 'https://docs.example.com/?a&"b',
    tools: [],
  };
  const app = new Hono<HttpEnv>().get(
    '/',
    home(about, createPublicUrlOf(), () => ({ status: 'ready' })),
  );

  test('is escaped, and has a link to the documentation if there is one', async () => {
    const page = await (await app.request('/', { headers: HTML })).text();
    expect(page).toContain('<title>&lt;b&gt;&quot;Title&quot;&lt;/b&gt;</title>');
    expect(page).toContain('<a href="https://docs.example.com/?a&amp;&quot;b">Documentation</a>');
    expect(page).not.toContain('<b>');
  });
});

test.each([
  ['http', 'localhost:8000', false],
  ['http', '127.0.0.1:8000', false],
  ['https', 'gateway.example.com', false],
  ['http', 'gateway.example.com', true],
  ['http', 'localhost.example.com', true],
])('mcp-remote gets --allow-http where it rejects plain HTTP: %s://%s', async (proto, host, hasFlag) => {
  const page = await (await setUp()({ ...HTML, host, 'x-forwarded-proto': proto })).text();
  expect(page.includes('--allow-http')).toBe(hasFlag);
});

describe('the origin in the snippets', () => {
  const get = setUp();
  const endpoint = async (headers: Record<string, string>) =>
    ((await (await get({ ...JSON_ONLY, ...headers })).json()) as { mcp: string }).mcp;

  test.each([
    ['gateway.example.com', 'http://gateway.example.com/mcp'],
    ['Gateway.Example.com:8443', 'http://gateway.example.com:8443/mcp'],
    ['[::1]:8000', 'http://[::1]:8000/mcp'],
    ['my_container:8000', 'http://my_container:8000/mcp'],
  ])('is built from the host %s', async (host, expected) => {
    expect(await endpoint({ host })).toBe(expected);
  });

  test.each([
    ['https', 'https://gateway.example.com/mcp'],
    ['http', 'http://gateway.example.com/mcp'],
    ['javascript', 'http://gateway.example.com/mcp'],
    ['HTTPS', 'https://gateway.example.com/mcp'],
    ['https, http', 'https://gateway.example.com/mcp'],
    ['http,https', 'http://gateway.example.com/mcp'],
    ['https://evil.example/"><script>', 'http://gateway.example.com/mcp'],
  ])('takes the scheme from X-Forwarded-Proto: %s', async (proto, expected) => {
    expect(await endpoint({ host: 'gateway.example.com', 'x-forwarded-proto': proto })).toBe(expected);
  });

  test('drops the port that the scheme implies', async () => {
    expect(await endpoint({ host: 'gateway.example.com:443', 'x-forwarded-proto': 'https' })).toBe('https://gateway.example.com/mcp');
  });

  test('takes nothing from other forwarding headers', async () => {
    const headers = { 'x-forwarded-host': 'evil.example', 'x-forwarded-port': '666', forwarded: 'host=evil.example;proto=https' };
    const response = await get({ ...HTML, ...headers });
    expect(await response.text()).not.toMatch(/evil|666/);
  });

  test.each([
    '"><script>alert(1)</script>',
    'a"b',
    "a'b",
    'a`id`',
    'a$(id)',
    'a;id',
    'a&b',
    'a{b}',
    'a\\b',
    'user@evil.example',
    'evil.example/path',
    'evil.example?x',
    'evil.example#x',
    'evil.example:99999',
    'evil.example:',
    '[evil]',
    '',
  ])('is rejected and not echoed when the host is %j', async (host) => {
    for (const accept of [HTML, JSON_ONLY]) {
      const response = await get({ ...accept, host });
      expect(response.status).toBe(403);
      expect(response.headers.get('content-type')).toContain('application/json');
      expect(await response.json()).toEqual({
        error: { code: 'forbidden_host', message: expect.not.stringMatching(/evil|script|id/), request_id: expect.any(String) },
      });
    }
  });

  test('is one of the allowed hosts where there is a list', async () => {
    const listed = setUp({ MCP_ALLOWED_HOSTS: 'gateway.example.com' });
    expect((await listed({ ...HTML, host: 'gateway.example.com' })).status).toBe(200);
    expect((await listed({ ...HTML, host: 'other.example.com' })).status).toBe(403);
  });
});

test('reports draining as /ready does', async () => {
  const { gateway, sessions } = createTestApp();
  const app = createApp(gateway, { sessions, isDraining: () => true });
  const response = await app.request('/', { headers: JSON_ONLY });
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ status: 'draining' });
});

describe('a wrong configuration', () => {
  const loaded = loadConfig({ PORT: 'not-to-be-shown', LOG_LEVEL: 'nor-this' });
  if (loaded.ok) throw new Error('loaded');
  const app = createMisconfiguredApp(loaded.problems, testRuntime());

  test('is reported as JSON', async () => {
    const response = await app.request('/', { headers: JSON_ONLY });
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ status: 'not_configured', problems: loaded.problems, mcp: 'http://localhost/mcp' });
  });

  test('is reported on the page: names and problems, no values', async () => {
    const response = await app.request('/', { headers: HTML });
    const page = await response.text();
    expect(response.status).toBe(503);
    expect(page).toContain('Not configured');
    expect(page).toContain('<code>MCP_SERVER_API_KEY</code>');
    expect(page).toMatch(/<code>PORT<\/code>.*0.*65535/);
    expect(page).not.toMatch(/not-to-be-shown|nor-this/);
  });

  test('a hostile host is rejected here, too', async () => {
    expect((await app.request('/', { headers: { ...HTML, host: 'a$(id)' } })).status).toBe(403);
  });
});
