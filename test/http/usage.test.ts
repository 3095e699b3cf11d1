import { describe, expect, test } from 'vitest';
import { createApp } from '../../src/app.ts';
import { createIssuer, createKey, createToken, ISSUER } from '../stand-ins/issuer.ts';
import { createTestApp, type Environment, readAnswer, type ToolResult, testEnvironment, testRuntime } from '../support.ts';

const ALICE = 'key-of-alice-0123456789abcdef';
const BOB = 'key-of-bob-0123456789abcdef';
const ADMIN = 'key-of-the-operator-0123456789';
const MODEL_PRICES = JSON.stringify({ 'gpt-6-luna': 'gpt-6-luna', 'gpt-image-2': 'gpt-image-2', 'tts-1': 'tts-1' });

const environment = (overrides: Environment = {}) =>
  testEnvironment({
    MCP_SERVER_API_KEY: '',
    MCP_SERVER_API_KEYS: JSON.stringify({ alice: { key: ALICE, budget_usd_per_day: 5 }, bob: { key: BOB } }),
    MCP_ADMIN_KEY: ADMIN,
    MCP_BUDGET_USD_PER_DAY: '50',
    MODEL_PRICES,
    ...overrides,
  });

function setUp(env = environment(), runtime = testRuntime()) {
  const created = createTestApp(env, runtime);
  const get = (query = '', headers: Record<string, string> = {}, method = 'GET') =>
    created.app.request(`/usage${query}`, { method, headers });
  const report = async (key: string, query = '') => {
    const response = await get(query, { authorization: `Bearer ${key}` });
    expect(response.status).toBe(200);
    // biome-ignore lint/suspicious/noExplicitAny: the test looks at all of it.
    return (await response.json()) as any;
  };
  const call = async (key: string, name: string, args: object): Promise<ToolResult> => {
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } };
    return (await readAnswer(await created.post(message, { authorization: `Bearer ${key}` }))).result as unknown as ToolResult;
  };
  return { ...created, get, report, call };
}

const NOTHING = { calls: 0, failures: 0, input_tokens: 0, output_tokens: 0, files: 0, bytes: 0, cost_usd: 0 };

describe('GET /usage', () => {
  test('shows a principal what it has used, and the operator what all have: the sums of the results', async () => {
    const env = environment();
    const gateway = setUp(env);
    const { call, report, fail } = gateway;
    const results = [
      (await call(ALICE, 'chat_completion', { prompt: 'Hello' })).structuredContent,
      (await call(ALICE, 'chat_completion', { prompt: 'Hello again' })).structuredContent,
      (await call(ALICE, 'generate_image', { prompt: 'a lamp', size: '64x64', n: 2 })).structuredContent,
    ];
    const [first, second, images] = results;
    const speech = (await call(BOB, 'synthesize_speech', { input: 'Hello', model: 'tts-1' })).structuredContent;
    await call(BOB, 'list_media', {});
    await fail({ status: 500 });
    expect((await call(BOB, 'chat_completion', { prompt: 'fail' })).isError).toBe(true);

    const tokens = (usage: Record<string, number>) => (usage.prompt_tokens ?? 0) + (usage.completion_tokens ?? 0);
    const alice = await report(ALICE);
    expect(alice).toMatchObject({ scope: 'principal', by_principal: [{ principal: 'alice', calls: 3 }] });
    expect(alice.days).toHaveLength(31);
    expect(alice.totals).toMatchObject({ calls: 3, failures: 0, files: 2 });
    expect(alice.totals.bytes).toBe(images.images.reduce((sum: number, { bytes }: { bytes: number }) => sum + bytes, 0));
    expect(alice.totals.cost_usd).toBeCloseTo(
      results.reduce((sum, { cost_usd }) => sum + cost_usd, 0),
      9,
    );
    const chat = alice.by_tool.find(({ tool }: { tool: string }) => tool === 'chat_completion');
    expect(chat).toMatchObject({ calls: 2, files: 0, cost_usd: expect.closeTo(first.cost_usd + second.cost_usd, 9) });
    expect(chat.input_tokens + chat.output_tokens).toBe(tokens(first.usage) + tokens(second.usage));
    expect(JSON.stringify(alice)).not.toContain('bob');

    const bob = await report(BOB);
    expect(bob.totals).toMatchObject({ calls: 3, failures: 1, files: 1, bytes: speech.bytes });
    expect(bob.by_tool).toContainEqual({ ...NOTHING, tool: 'list_media', calls: 1 });
    expect(bob.by_tool).toContainEqual(expect.objectContaining({ tool: 'chat_completion', calls: 1, failures: 1 }));

    const all = await report(ADMIN);
    expect(all).toMatchObject({ scope: 'all', totals: { calls: 6, failures: 1, files: 3 } });
    expect(all.totals.cost_usd).toBeCloseTo(alice.totals.cost_usd + bob.totals.cost_usd, 9);
    expect(all.by_principal.map(({ principal }: { principal: string }) => principal).toSorted()).toEqual(['alice', 'bob']);
    expect(all.by_model).toContainEqual(expect.objectContaining({ model: 'gpt-image-2', files: 2, cost_usd: images.cost_usd }));

    await gateway.gateway.close();
    const restarted = setUp(env);
    expect((await restarted.report(ADMIN)).totals).toEqual(all.totals);
    await restarted.call(ALICE, 'list_media', {});
    await restarted.gateway.close();
    expect((await gateway.report(ALICE)).totals).toEqual({ ...alice.totals, calls: 4 });
  });

  test('shows each its budget of today: the principal its own, the operator that of the gateway', async () => {
    const { call, report } = setUp(environment(), testRuntime({}, 1));
    expect((await report(ALICE)).budget).toEqual({
      limit_usd: 5,
      spent_usd: 0,
      reserved_usd: 0,
      left_usd: 5,
      renews_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT00:00:00.000Z$/),
    });
    expect((await report(BOB)).budget).toBeNull();
    const { cost_usd } = (await call(ALICE, 'generate_image', { prompt: 'a lamp', size: '64x64' })).structuredContent;
    await expect.poll(async () => (await report(ALICE)).budget.spent_usd, { timeout: 60_000 }).toBe(cost_usd);
    await expect.poll(async () => (await report(ADMIN)).budget, { timeout: 60_000 }).toMatchObject({ limit_usd: 50, spent_usd: cost_usd });
  });

  test('has as many days as are asked for, of which today is the last', async () => {
    const runtime = testRuntime({ now: () => Date.parse('2026-03-01T00:00:01Z') });
    // Without storage, which would not believe such a clock.
    const { call, report } = setUp(environment({ AZURE_STORAGE_CONNECTION_STRING: '', STATE_SECRET: '' }), runtime);
    await call(BOB, 'list_supported_models', {});
    const { from, to, days } = await report(BOB, '?days=2');
    expect({ from, to, days }).toEqual({
      from: '2026-02-28',
      to: '2026-03-01',
      days: [
        { date: '2026-02-28', ...NOTHING, rows: [] },
        {
          date: '2026-03-01',
          ...NOTHING,
          calls: 1,
          rows: [{ ...NOTHING, principal: 'bob', tool: 'list_supported_models', model: '', calls: 1 }],
        },
      ],
    });
    expect((await report(BOB, '?days=31')).from).toBe('2026-01-30');
  });

  test.each(['0', '32', '-1', '1.5', '', '1e1', '031', 'all'])('refuses days=%s', async (days) => {
    const response = await setUp().get(`?days=${days}`, { authorization: `Bearer ${ALICE}` });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: 'bad_request', message: 'days must be a whole number from 1 to 31.' } });
  });

  test('is fresh, and no tool call', async () => {
    const { get, report, logged } = setUp();
    const response = await get('', { authorization: `Bearer ${ADMIN}` });
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect((await report(ALICE)).totals).toEqual(NOTHING);
    expect(logged.join()).not.toContain('tool_call');
  });

  test.each([
    ['no key', {}, 'missing'],
    ['a wrong key', { authorization: `Bearer ${ADMIN}x` }, 'unknown'],
    ['two keys', { authorization: `Bearer ${ADMIN}, Bearer ${ADMIN}` }, 'malformed'],
  ])('with %s is refused as everywhere', async (_, headers: Record<string, string>, reason) => {
    const { get, logged } = setUp();
    const response = await get('', headers);
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect(logged.join()).toContain(`"reason":"${reason}"`);
  });

  test("without MCP_ADMIN_KEY there is no operator, and the operator's key opens nothing else", async () => {
    const { get } = setUp(environment({ MCP_ADMIN_KEY: '' }));
    expect((await get('', { authorization: `Bearer ${ADMIN}` })).status).toBe(401);
    const { post } = setUp();
    expect((await post({ jsonrpc: '2.0', id: 1, method: 'tools/list' }, { authorization: `Bearer ${ADMIN}` })).status).toBe(401);
  });

  test.each([ADMIN, ALICE])('allows GET and HEAD alone', async (key) => {
    const { get } = setUp();
    const authorization = `Bearer ${key}`;
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const response = await get('', { authorization }, method);
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET']);
    }
    const head = await get('', { authorization }, 'HEAD');
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  test('checks the host and the origin, also for the operator and the page', async () => {
    const { get } = setUp(environment({ MCP_ALLOWED_HOSTS: 'gateway.example.com' }));
    const authorization = `Bearer ${ADMIN}`;
    const host = 'gateway.example.com';
    expect((await get('', { authorization, host })).status).toBe(200);
    expect((await get('', { authorization, host: 'other.example.com' })).status).toBe(403);
    expect((await get('', { accept: 'text/html', host: 'other.example.com' })).status).toBe(403);
    expect((await get('', { authorization, host, origin: 'https://evil.example.com' })).status).toBe(403);
  });

  test('answers while the gateway drains', async () => {
    const { gateway, sessions } = setUp();
    const app = createApp(gateway, { sessions, isDraining: () => true });
    expect((await app.request('/usage', { headers: { authorization: `Bearer ${ALICE}` } })).status).toBe(200);
  });

  test('takes an access token of the sign-in', async () => {
    const key = await createKey('current');
    const issuer = createIssuer(key);
    const env = environment({ MCP_OAUTH_ISSUER: ISSUER, MCP_OAUTH_AUDIENCE: 'api://gateway' });
    const { call, report } = setUp(env, testRuntime({ fetch: issuer.fetch, now: Date.now }));
    const carol = await createToken(key, Date.now(), { sub: 'carol' });
    await call(carol, 'list_media', {});
    await call(ALICE, 'list_media', {});
    expect(await report(carol)).toMatchObject({ totals: { calls: 1 }, by_principal: [{ principal: 'carol' }] });
  });

  test('says so when storage cannot be read, or when too many ask at once', async () => {
    const { gateway, sessions } = setUp();
    const asked = Promise.withResolvers<void>();
    const headers = { authorization: `Bearer ${ADMIN}` };
    const book = { ...gateway.book, read: () => asked.promise.then(() => Promise.reject(new Error('no storage'))) };
    const app = createApp({ ...gateway, book }, { sessions });
    const all = Array.from({ length: 17 }, async () => app.request('/usage', { headers }));
    expect(await (await Promise.race(all)).json()).toMatchObject({ error: { code: 'busy' } });
    asked.resolve();
    const responses = (await Promise.all(all)).filter(({ bodyUsed }) => !bodyUsed);
    expect(responses).toHaveLength(16);
    for (const response of responses) {
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '2']);
      expect(await response.json()).toMatchObject({ error: { code: 'usage_unavailable' } });
    }
  });
});

describe('the page', () => {
  const HTML = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

  test('is for browsers without a bearer, and has no data', async () => {
    const response = await setUp().get('', HTML);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('text/html');
    const page = await response.text();
    expect(page).not.toMatch(/alice|bob|key-of| src=|@import|url\(| style=| on[a-z]+=/);
    expect([...page.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual(['data:,', './']);
  });

  test('runs its own script and style alone, by hash', async () => {
    const response = await setUp().get('', HTML);
    const page = await response.text();
    const hash = async (element: string) => {
      const [, text] = new RegExp(`<${element}>([^]*?)</${element}>`).exec(page) ?? [];
      const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
      return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
    };
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(`style-src ${await hash('style')}; script-src ${await hash('script')}; `);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      vary: 'Accept, Authorization',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
  });

  test.each([
    { ...HTML, authorization: `Bearer ${ALICE}` },
    { accept: 'application/json', authorization: `Bearer ${ALICE}` },
  ])('with a bearer, there is JSON: %j', async (headers) => {
    const response = await setUp().get('', headers);
    expect(response.headers.get('content-type')).toContain('application/json');
  });

  test('without HTML and a bearer, there is neither', async () => {
    expect((await setUp().get('', { accept: '*/*' })).status).toBe(401);
  });
});
