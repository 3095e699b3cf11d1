import { describe, expect, inject, test } from 'vitest';
import type { Failure } from '../../src/errors.ts';
import { isRefusal } from '../../src/tools/fallback.ts';
import type { Fault } from '../stand-ins/openai/accounts.ts';
import {
  CLIENT_KEY,
  createTestApp,
  type Environment,
  newAccount,
  queueFaults,
  recordedRequests,
  setVideos,
  testEnvironment,
  testRuntime,
} from '../support.ts';

const MODELS = ['gpt-6-luna', 'gpt-6-sol', 'gpt-image-2', 'tts-1', 'gpt-transcribe', 'sora-2'];
const PRICES = Object.fromEntries(MODELS.map((model) => [model, model]));

/** The same stand-in under another name and another key. */
const SECOND_URL = inject('openaiUrl').replace('127.0.0.1', 'localhost');
const SECOND_HOST = new URL(SECOND_URL).host;

/** An app whose capabilities all have a second upstream. */
async function setUp(overrides: Environment = {}) {
  const second = newAccount();
  const fallbacks = ['CHAT', 'IMAGE', 'AUDIO', 'VIDEO', 'TRANSCRIPTION'].flatMap((name) => [
    [`OPENAI_${name}_FALLBACK_BASE_URL`, `${SECOND_URL}/v1`],
    [`OPENAI_${name}_FALLBACK_API_KEY`, second],
  ]);
  const env = testEnvironment({
    OPENAI_AUDIO_MODEL: 'tts-1',
    MODEL_PRICES: JSON.stringify(PRICES),
    ...Object.fromEntries(fallbacks),
    ...overrides,
  });
  const app = createTestApp(env, testRuntime());
  const paid = async (account: string) => (await recordedRequests(account)).filter(({ method }) => method === 'POST');
  return {
    ...app,
    second,
    failSecond: (...faults: Fault[]) => queueFaults(second, faults),
    billsOfFirst: app.bills,
    paidOfFirst: () => paid(env.OPENAI_API_KEY ?? ''),
    paidOfSecond: () => paid(second),
    async usdOfSecond() {
      const bills = await (await fetch(`${inject('openaiUrl')}/_control/${second}/bills`)).json();
      return (bills as { usd: number }[]).reduce((sum, { usd }) => sum + usd, 0);
    },
  };
}
type App = Awaited<ReturnType<typeof setUp>>;

const LONG_WAIT: Fault = { at: 'POST', status: 429, headers: { 'retry-after': '3600' } };
const NO_QUOTA: Fault = { at: 'POST', status: 429, code: 'insufficient_quota' };
const OVERLOADED: Fault = { at: 'POST', status: 503, headers: { 'retry-after': '3600' } };
const CHAT = { prompt: 'Hello' };
const IMAGE = { prompt: 'a lamp', size: '64x64' };

const makeImage = async (app: App) => (await app.call('generate_image', IMAGE)).structuredContent.images[0].url;
const makeSpeech = async (app: App) => (await app.call('synthesize_speech', { input: 'Hello' })).structuredContent.url;

const CALLS: [tool: string, args: (app: App) => object | Promise<object>][] = [
  ['chat_completion', () => CHAT],
  ['generate_image', () => IMAGE],
  ['edit_image', async (app) => ({ ...IMAGE, images: [await makeImage(app)] })],
  ['synthesize_speech', () => ({ input: 'Hello, world.' })],
  ['synthesize_speech', () => ({ input: 'A sentence, of many. '.repeat(300) })],
  ['transcribe_audio', async (app) => ({ audio: await makeSpeech(app) })],
];

describe('when the first upstream refuses before it begins, the second serves the call', () => {
  test.each(CALLS)('%s %#', async (tool, argsOf) => {
    const app = await setUp();
    const args = await argsOf(app);
    const billsBefore = (await app.billsOfFirst()).length;
    // For each of the parts of long speech that are sent at once.
    await app.fail(LONG_WAIT, LONG_WAIT, LONG_WAIT);
    const { structuredContent: result, isError } = await app.call(tool, args);
    expect(isError).toBeUndefined();
    expect(result.served_by).toBe(SECOND_HOST);
    expect(result.cost_usd).toBeGreaterThan(0);
    expect(result.cost_usd).toBeCloseTo(await app.usdOfSecond(), 9);
    expect(await app.billsOfFirst()).toHaveLength(billsBefore);
    const logged = app.logged.map((line) => JSON.parse(line));
    expect(logged.findLast(({ event }) => event === 'fallback')).toMatchObject({ host: SECOND_HOST, reason: 'upstream_status' });
    expect(logged.findLast(({ event }) => event === 'tool_call').characters).toBe(
      tool === 'synthesize_speech' ? result.characters : undefined,
    );
  });

  test.each([
    ['no quota', [NO_QUOTA]],
    ['no quota, as for images', [{ at: 'POST', status: 400, code: 'billing_hard_limit_reached' }]],
    ['no quota, as elsewhere', [{ at: 'POST', status: 402 }]],
    ['overloaded', [OVERLOADED]],
    ['busy for longer than is waited', Array.from({ length: 3 }, () => ({ at: 'POST', status: 429, headers: { 'retry-after': '1' } }))],
  ])('%s', async (_, faults) => {
    const app = await setUp();
    await app.fail(...faults);
    expect((await app.call('chat_completion', CHAT)).structuredContent.served_by).toBe(SECOND_HOST);
    expect(await app.paidOfFirst()).toHaveLength(faults.length);
  });

  test('nobody else has served it otherwise', async () => {
    const app = await setUp();
    expect((await app.call('chat_completion', CHAT)).structuredContent).not.toHaveProperty('served_by');
    expect(await app.paidOfSecond()).toEqual([]);
  });

  test('each server gets its own key only', async () => {
    const app = await setUp();
    await app.fail(NO_QUOTA);
    await app.call('chat_completion', CHAT);
    for (const [own, requests] of [
      ['first', await app.paidOfFirst()],
      [app.second, await app.paidOfSecond()],
    ] as const)
      for (const { headers } of requests) expect(headers.authorization?.endsWith(app.second)).toBe(own === app.second);
  });

  test('and its progress', async () => {
    const app = await setUp();
    await app.fail(NO_QUOTA);
    const response = await app.post({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'chat_completion', arguments: CHAT, _meta: { progressToken: 1 } },
    });
    expect(await response.text()).toContain(SECOND_HOST);
    expect((await app.paidOfSecond())[0]?.body).toMatchObject({ stream: true });
  });
});

test.each<Failure>([
  { kind: 'upstream_timeout', service: 'OpenAI', paid: true },
  { kind: 'upstream_unreachable', service: 'OpenAI', sent: true, paid: true, variables: { key: '', baseUrl: '', model: '' } },
])('$kind is no refusal: the request may have been received', (failure) => {
  expect(isRefusal(failure)).toBe(false);
});

describe('the second upstream is not asked', () => {
  test.each<[string, Fault]>([
    ['500', { at: 'POST', status: 500 }],
    ['400', { at: 'POST', status: 400 }],
    ['401', { at: 'POST', status: 401 }],
    ['a broken answer', { at: 'POST', cut: true }],
    ['an answer that is not JSON', { at: 'POST', status: 200, body: '<html>' }],
  ])('after %s', async (_, fault) => {
    const app = await setUp();
    for (const [tool, args] of [
      ['chat_completion', CHAT],
      ['generate_image', IMAGE],
    ] as const) {
      await app.fail(fault);
      expect((await app.call(tool, args)).isError).toBe(true);
    }
    expect(await app.paidOfSecond()).toEqual([]);
  });

  test('once parts of a long speech are made, which are kept', async () => {
    const app = await setUp();
    const input = 'A sentence, of many. '.repeat(300);
    // One of the three that are sent at once.
    await app.fail(LONG_WAIT);
    const { content } = await app.call('synthesize_speech', { input });
    expect(content[0]?.text).toMatch(/2 of \d parts .* are made and kept.*\(speech_interrupted,/);
    expect(await app.paidOfSecond()).toEqual([]);
  });
});

test('the model is that of the fallback, or the one of the call where it has none', async () => {
  const same = await setUp();
  await same.fail(NO_QUOTA);
  await same.call('chat_completion', { ...CHAT, model: 'gpt-6-sol' });
  expect((await same.paidOfSecond())[0]?.body).toMatchObject({ model: 'gpt-6-sol' });
  const own = await setUp({ OPENAI_CHAT_FALLBACK_MODEL: 'gpt-6-luna' });
  await own.fail(NO_QUOTA);
  const { structuredContent } = await own.call('chat_completion', { ...CHAT, model: 'gpt-6-sol' });
  expect(structuredContent.model).toMatch(/^gpt-6-luna/);
  expect((await own.paidOfSecond())[0]?.body).toMatchObject({ model: 'gpt-6-luna' });
});

describe('when both fail, the error is that of the first, and says what the second has done', () => {
  test('nothing is billed', async () => {
    const app = await setUp();
    await app.fail(LONG_WAIT);
    await app.failSecond(OVERLOADED);
    const { isError, content } = await app.call('generate_image', IMAGE);
    expect(isError).toBe(true);
    expect(content[0]?.text).toMatch(
      /returned 429.*retry in 3600 s\. The fallback failed, too: .*localhost.* returned 503.*\(fallback_failed,/,
    );
    expect(content[0]?.text).not.toContain('billed');
  });

  test('the second may have billed it', async () => {
    const app = await setUp();
    await app.fail(LONG_WAIT);
    await app.failSecond({ at: 'POST', status: 500 });
    const args = { ...IMAGE, idempotency_key: crypto.randomUUID() };
    const first = await app.call('generate_image', args);
    expect(first.content[0]?.text).toContain('may have been processed and billed');
    // So its key stands for that call, which is not sent again.
    const again = await app.call('generate_image', args);
    expect(again.content[0]?.text).toContain('fallback_failed');
    expect(await app.paidOfFirst()).toHaveLength(1);
    expect(await app.paidOfSecond()).toHaveLength(1);
  });
});

test('a call with an idempotency key is made once, whoever serves it', async () => {
  const app = await setUp();
  await app.fail(LONG_WAIT);
  const args = { ...IMAGE, idempotency_key: crypto.randomUUID() };
  const first = await app.call('generate_image', args);
  const again = await app.call('generate_image', args);
  expect(again.structuredContent).toMatchObject(first.structuredContent);
  expect(again.structuredContent.served_by).toBe(SECOND_HOST);
  expect(await app.paidOfFirst()).toHaveLength(1);
  expect(await app.paidOfSecond()).toHaveLength(1);
});

describe('limits hold for the dearer of the two', () => {
  const dear = {
    OPENAI_IMAGE_FALLBACK_MODEL: 'compatible-image',
    MODEL_PRICES: JSON.stringify({ ...PRICES, 'gpt-image-2': { image: 0.1 }, 'compatible-image': { image: 0.5 } }),
  };

  test('max_cost_usd', async () => {
    const app = await setUp(dear);
    const refused = await app.call('generate_image', { ...IMAGE, max_cost_usd: 0.3 });
    expect(refused.content[0]?.text).toMatch(/\$0\.5 with compatible-image.*\(too_expensive,/);
    expect(await app.paidOfFirst()).toEqual([]);
    expect((await app.call('generate_image', { ...IMAGE, max_cost_usd: 0.5 })).structuredContent.cost_usd).toBe(0.1);
  });

  test('budgets, which count what the second has cost', async () => {
    const keys = JSON.stringify({ alice: { key: CLIENT_KEY, budget_usd_per_day: 0.7 } });
    const app = await setUp({ ...dear, MCP_SERVER_API_KEYS: keys, MCP_SERVER_API_KEY: '' });
    expect((await app.call('generate_image', IMAGE)).structuredContent.cost_usd).toBe(0.1);
    await app.fail(LONG_WAIT);
    expect((await app.call('generate_image', IMAGE)).structuredContent).toMatchObject({
      served_by: SECOND_HOST,
      model: 'compatible-image',
    });
    expect((await app.call('generate_image', IMAGE)).content[0]?.text).toContain('over_budget');
  });
});

describe('a video', () => {
  test('is polled where it was started', async () => {
    const app = await setUp();
    await setVideos(app.second, { jobSeconds: 0.01 });
    await app.fail(LONG_WAIT);
    const started = await app.call('generate_video', { prompt: 'a lamp', wait_seconds: 600 });
    expect(started.structuredContent).toMatchObject({ status: 'completed', served_by: SECOND_HOST, cost_usd: expect.any(Number) });
    expect(await app.paidOfFirst()).toHaveLength(1);
    expect(await app.paidOfSecond()).toHaveLength(1);
  });

  test.each<[string, Fault[]]>([
    ['the first does not know it', []],
    ['the first does not respond', [{ at: 'GET', status: 503 }]],
  ])('is found by its id: %s', async (_, faults) => {
    const app = await setUp();
    await setVideos(app.second, { jobSeconds: 0.01 });
    const body = new FormData();
    for (const [name, value] of Object.entries({ prompt: 'a lamp', model: 'sora-2', seconds: '4' })) body.append(name, value);
    const started = await fetch(`${SECOND_URL}/v1/videos`, { method: 'POST', headers: { authorization: `Bearer ${app.second}` }, body });
    const { id: video_id } = (await started.json()) as { id: string };
    await app.fail(...faults);
    const { structuredContent } = await app.call('generate_video', { video_id, wait_seconds: 600 });
    expect(structuredContent).toMatchObject({ status: 'completed', video_id, served_by: SECOND_HOST });
    expect(await app.paidOfSecond()).toHaveLength(1);
  });

  test('that neither knows is unknown', async () => {
    const app = await setUp();
    const { content } = await app.call('generate_video', { video_id: 'video_unknown' });
    expect(content[0]?.text).toMatch(/unknown or has expired.*The fallback failed, too: .*unknown or has expired/);
  });
});

test('list_supported_models names the second upstream', async () => {
  const app = await setUp({ OPENAI_CHAT_FALLBACK_MODEL: 'gpt-6-sol' });
  const { models } = (await app.call('list_supported_models', {})).structuredContent;
  expect(models[0]).toMatchObject({
    capability: 'chat',
    model: 'gpt-6-luna',
    fallback: { model: 'gpt-6-sol', endpoint_host: SECOND_HOST },
  });
});
