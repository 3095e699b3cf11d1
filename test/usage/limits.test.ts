import { describe, expect, test } from 'vitest';
import {
  CLIENT_HEADERS,
  createTestApp,
  type Environment,
  eventually,
  newAccount,
  queueFaults,
  readAnswer,
  startCall,
  testEnvironment,
  testRuntime,
} from '../support.ts';

const MODEL_PRICES = JSON.stringify({ 'gpt-6-luna': 'gpt-6-luna', 'gpt-image-2': { image: 0.1 }, 'tts-1': { million_characters: 15 } });
const IMAGE = { prompt: 'a lamp', size: '64x64' };
const SPEECH = { input: 'Hello', model: 'tts-1' };

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const keyOf = (name: string) => `key-of-${name}-for-the-tests`;

/** An app whose principals have these limits, and the calls of each. */
function createLimitedApp(limits: Record<string, object>, overrides: Environment = {}) {
  const keys = Object.entries(limits).map(([name, limit]) => [name, { key: keyOf(name), ...limit }]);
  const env = testEnvironment({ MODEL_PRICES, MCP_SERVER_API_KEYS: JSON.stringify(Object.fromEntries(keys)), ...overrides });
  const app = createTestApp(env, testRuntime({}, Number(overrides.SPEED ?? 100)));
  const callAs = (name: string, tool: string, args: object) =>
    startCall((request) => app.app.request(request), tool, args, { headers: bearer(keyOf(name)) });
  return { ...app, env, callAs, resultAs: async (...call: Parameters<typeof callAs>) => callAs(...call).result };
}

const textOf = (result: { content: { text: string }[] }) => result.content[0]?.text ?? '';

describe('a daily budget', () => {
  test('is spent by what calls have cost, and refuses the one for which too little is left, before anything is sent', async () => {
    const { resultAs, requests } = createLimitedApp({ alice: { budget_usd_per_day: 0.25 }, bob: {} });
    for (let call = 0; call < 2; call++) expect((await resultAs('alice', 'generate_image', IMAGE)).structuredContent.cost_usd).toBe(0.1);
    const sent = (await requests()).length;
    const refused = await resultAs('alice', 'generate_image', IMAGE);
    expect(refused.isError).toBe(true);
    expect(textOf(refused)).toMatch(
      /daily budget of alice, \$0\.25, has \$0\.05\d* left.*may cost \$0\.10.*Nothing was sent or billed.*renews at \d{4}-/,
    );
    expect(textOf(refused)).toContain('(over_budget,');
    expect((await requests()).length).toBe(sent);
    // A cheaper call still fits, and others have their own.
    expect((await resultAs('alice', 'synthesize_speech', SPEECH)).isError).toBeUndefined();
    expect((await resultAs('bob', 'generate_image', IMAGE)).isError).toBeUndefined();
  });

  test.each([
    ['images', 'generate_image', IMAGE, 0.1, 0.35],
    ['chat', 'chat_completion', { prompt: 'Hello', max_completion_tokens: 1000 }, 0.0005, 0.005],
  ])('cannot be spent twice by calls that run at the same time: %s', async (_, tool, args, usd, budget) => {
    const { resultAs, bills } = createLimitedApp({ alice: { budget_usd_per_day: budget } });
    const results = await Promise.all(Array.from({ length: 40 }, () => resultAs('alice', tool, args)));
    const made = results.filter(({ isError }) => !isError).length;
    expect(made).toBeGreaterThan(0);
    expect(made * usd).toBeLessThanOrEqual(budget + 1e-9);
    expect((await bills()).length).toBe(made);
  });

  test('of the gateway is that of all principals together', async () => {
    const { resultAs } = createLimitedApp({ alice: {}, bob: { budget_usd_per_day: 5 } }, { MCP_BUDGET_USD_PER_DAY: '0.15' });
    expect((await resultAs('alice', 'generate_image', IMAGE)).isError).toBeUndefined();
    const refused = await resultAs('bob', 'generate_image', IMAGE);
    expect(textOf(refused)).toMatch(/daily budget of the gateway, \$0\.15, has \$0\.05\d* left/);
    // What was set aside in the other budget is back.
    expect((await resultAs('bob', 'synthesize_speech', SPEECH)).isError).toBeUndefined();
  });

  test('has everything back from a call that failed without being billed, and nothing from one that may have been', async () => {
    const { resultAs, fail } = createLimitedApp({ alice: { budget_usd_per_day: 0.15 } });
    await fail({ status: 400 });
    expect((await resultAs('alice', 'generate_image', IMAGE)).isError).toBe(true);
    await fail({ status: 500 });
    expect(textOf(await resultAs('alice', 'generate_image', { ...IMAGE, prompt: 'another lamp' }))).toContain('may have been processed');
    expect(textOf(await resultAs('alice', 'generate_image', { ...IMAGE, prompt: 'a third' }))).toContain('(over_budget,');
  });

  test('is not used by calls that collect, continue or cost nothing', async () => {
    const { resultAs, callAs, requests, fail, release } = createLimitedApp({ alice: { budget_usd_per_day: 0.1 } });
    await fail({ hold: 'all' });
    const left = callAs('alice', 'generate_image', IMAGE);
    await eventually(async () => (await requests()).length > 0);
    left.leave();
    await left.result.catch(() => {});
    const collecting = resultAs('alice', 'generate_image', IMAGE);
    await release();
    const collected = await collecting;
    expect(collected.structuredContent).toMatchObject({ cost_usd: 0.1, collected: true });
    expect((await resultAs('alice', 'list_supported_models', {})).isError).toBeUndefined();
    expect(textOf(await resultAs('alice', 'generate_image', { ...IMAGE, prompt: 'a new one' }))).toContain('has $0.00 left');
  });

  test('refuses a call whose price is not known, and 0 refuses all that cost something', async () => {
    const { resultAs, requests } = createLimitedApp({ alice: { budget_usd_per_day: 5 }, bob: { budget_usd_per_day: 0 } });
    const unknown = await resultAs('alice', 'chat_completion', { prompt: 'Hello', model: 'gpt-6-sol' });
    expect(textOf(unknown)).toMatch(/gpt-6-sol is not known.*MODEL_PRICES.*\(price_unknown,/);
    expect(textOf(await resultAs('bob', 'chat_completion', { prompt: 'Hello' }))).toContain('(over_budget,');
    expect(await requests()).toEqual([]);
  });

  test('is that of all instances, and is remembered after a restart', async () => {
    const first = createLimitedApp({ alice: { budget_usd_per_day: 0.25 } });
    const second = createLimitedApp({ alice: { budget_usd_per_day: 0.25 } }, { STATE_SECRET: first.env.STATE_SECRET ?? '' });
    const results = await Promise.all(
      [first, second, first, second].map(({ resultAs }, index) =>
        resultAs('alice', 'generate_image', { ...IMAGE, prompt: `lamp ${index}` }),
      ),
    );
    expect(results.filter(({ isError }) => !isError).length).toBe(2);
    const third = createLimitedApp({ alice: { budget_usd_per_day: 0.25 } }, { STATE_SECRET: first.env.STATE_SECRET ?? '' });
    expect(textOf(await third.resultAs('alice', 'generate_image', { ...IMAGE, prompt: 'after' }))).toContain('has $0.05');
  });

  test('without storage, is kept in memory', async () => {
    const { resultAs } = createLimitedApp({ alice: { budget_usd_per_day: 0.005 } }, { AZURE_STORAGE_CONNECTION_STRING: '' });
    const chat = { prompt: 'Hello', max_completion_tokens: 6000 };
    const results = await Promise.all([1, 2, 3].map(() => resultAs('alice', 'chat_completion', chat)));
    expect(results.filter(({ isError }) => isError).length).toBe(2);
  });

  test('is not forgotten when an upstream reports impossible usage: the call counts as its estimate', async () => {
    const { app, resultAs, fail, env, gateway } = createLimitedApp({ alice: { budget_usd_per_day: 1 } });
    const chat = { prompt: 'Hello', max_completion_tokens: 100_000 };
    const spentBy = async (on: typeof app) => {
      const response = await on.request('/usage?days=1', { headers: bearer(keyOf('alice')) });
      return (await response.json()) as { budget: { spent_usd: number }; totals: { calls: number; input_tokens: number } };
    };
    const message = { finish_reason: 'stop', message: { content: 'Hello' } };
    const usage = { prompt_tokens: 1e306, completion_tokens: 1e308 };
    const body = JSON.stringify({ id: 'chat', choices: [message], usage });
    await fail({ status: 200, body, headers: { 'content-type': 'application/json' } });
    const { cost_note, text } = (await resultAs('alice', 'chat_completion', chat)).structuredContent;
    expect([text, cost_note]).toEqual(['Hello', 'The upstream has reported impossible amounts.']);
    await resultAs('alice', 'chat_completion', { prompt: 'Hello' });
    await gateway.close();
    const other = createLimitedApp({ alice: { budget_usd_per_day: 1 } }, { STATE_SECRET: env.STATE_SECRET ?? '' });
    const { budget, totals } = await spentBy(other.app);
    // A hundred thousand tokens for half a dollar a million.
    expect(budget.spent_usd).toBeGreaterThan(0.05);
    expect(totals.calls).toBe(2);
    expect(totals.input_tokens).toBeLessThan(1_000);
  });

  test('that cannot be read lets nothing be sent', async () => {
    const { resultAs, requests, runtime } = createBrokenStore();
    runtime.isBroken = true;
    expect(textOf(await resultAs('alice', 'chat_completion', { prompt: 'Hello' }))).toMatch(/\(storage/);
    expect(await requests()).toEqual([]);
  });
});

/** A store that can be made to refuse everything. */
function createBrokenStore() {
  const runtime = { isBroken: false };
  const keys = JSON.stringify({ alice: { key: keyOf('alice'), budget_usd_per_day: 1 } });
  const env = testEnvironment({ MODEL_PRICES, MCP_SERVER_API_KEYS: keys });
  const account = new URL(env.AZURE_BLOB_PUBLIC_BASE_URL ?? '').host;
  const { fetch: send, ...rest } = testRuntime();
  const app = createTestApp(env, {
    ...rest,
    fetch: (input, init) => {
      const isStore = new URL(String(input instanceof Request ? input.url : input)).host === account;
      return runtime.isBroken && isStore ? Promise.resolve(new Response(null, { status: 403 })) : send(input, init);
    },
  });
  const resultAs = (name: string, tool: string, args: object) =>
    startCall((request) => app.app.request(request), tool, args, { headers: bearer(keyOf(name)) }).result;
  return { ...app, runtime, resultAs };
}

describe('calls per minute', () => {
  const rpc = (name: string) => ({
    method: 'POST',
    headers: { ...CLIENT_HEADERS, ...bearer(keyOf(name)) },
    body: JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'list_supported_models', arguments: {} } }),
  });

  test('beyond the limit get 429 with the wait, in standard headers and in a sentence, until a minute has passed', async () => {
    const { app, gateway, logged } = createLimitedApp({ alice: { calls_per_minute: 2 }, bob: {} }, { SPEED: '1' });
    const first = await app.request('/mcp', rpc('alice'));
    expect([first.headers.get('ratelimit-policy'), first.headers.get('ratelimit')]).toEqual(['"calls";q=2;w=60', '"calls";r=1;t=60']);
    expect((await readAnswer(first)).result).toBeDefined();
    await app.request('/mcp', rpc('alice'));
    const third = await app.request('/mcp', rpc('alice'));
    expect(third.status).toBe(429);
    const waitSeconds = Number(third.headers.get('retry-after'));
    expect(waitSeconds).toBeGreaterThan(50);
    expect(waitSeconds).toBeLessThanOrEqual(60);
    const body = (await third.json()) as { id: number; error: { code: number; message: string; data: object } };
    expect(body).toMatchObject({ id: 7, error: { code: -32029, data: { retry_after_seconds: waitSeconds } } });
    expect(body.error.message).toContain(`retry in ${waitSeconds} s`);
    expect(logged.some((line) => line.includes('"event":"call_refused"'))).toBe(true);
    // Nothing else is limited, and nobody else.
    const list = { ...rpc('alice'), body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }) };
    expect((await app.request('/mcp', list)).status).toBe(200);
    expect((await app.request('/mcp', rpc('bob'))).headers.has('ratelimit')).toBe(false);
    expect(gateway.callsInFlight()).toBe(0);
  });

  test('are counted over the last 60 seconds', async () => {
    const { app } = createLimitedApp({ alice: { calls_per_minute: 1 } }, { SPEED: '1000' });
    await app.request('/mcp', rpc('alice'));
    await eventually(async () => (await app.request('/mcp', rpc('alice'))).status === 200);
  });
});

describe('concurrent calls', () => {
  test('beyond the limit are refused, until one has ended', async () => {
    const { callAs, resultAs, env, requests, release } = createLimitedApp({ alice: { concurrent_calls: 2 }, bob: {} });
    await queueFaults(env.OPENAI_API_KEY ?? newAccount(), [{ hold: 'all' }, { hold: 'all' }]);
    const running = [1, 2].map((call) => callAs('alice', 'chat_completion', { prompt: `Hello ${call}` }));
    await eventually(async () => (await requests()).length === 2);
    const refused = await resultAs('alice', 'list_supported_models', {});
    expect(textOf(refused)).toMatch(/2 of your calls are running.*\(too_many_calls,/);
    expect((await resultAs('bob', 'list_supported_models', {})).isError).toBeUndefined();
    await release();
    await Promise.all(running.map(({ result }) => result));
    expect((await resultAs('alice', 'list_supported_models', {})).isError).toBeUndefined();
  });
});
