import { describe, expect, inject, test } from 'vitest';
import { createTestApp, type Environment, isUpload, newAccount, type ToolResult, testEnvironment, testRuntime } from '../support.ts';

/** The stand-in is a compatible server that charges as OpenAI does. */
const SAME = [
  'gpt-6-luna',
  'gpt-6-sol',
  'gpt-image-2',
  'gpt-4o-mini-tts',
  'gpt-audio-1.5',
  'tts-1',
  'gpt-transcribe',
  'whisper-1',
  'sora-2',
];
const MODEL_PRICES = JSON.stringify(Object.fromEntries(SAME.map((model) => [model, model])));

async function createPricedApp(overrides: Environment = {}) {
  const app = createTestApp(testEnvironment({ MODEL_PRICES, ...overrides }));
  await app.setVideos({ jobSeconds: 0.01 });
  return app;
}
type App = ReturnType<typeof createTestApp>;

const billed = async (app: App) => (await app.bills()).reduce((sum, { usd }) => sum + usd, 0);
const makeImage = async (app: App) =>
  (await app.call('generate_image', { prompt: 'a lamp', size: '64x64' })).structuredContent.images[0].url;
const makeSpeech = async (app: App) => (await app.call('synthesize_speech', { input: 'Hello' })).structuredContent.url;

/** Each paid tool, with the arguments of a call, which may need something that is made before. */
const CALLS: [name: string, args: (app: App) => object | Promise<object>][] = [
  ['chat_completion', () => ({ prompt: 'Hello, who are you? [cached 3]' })],
  ['chat_completion', () => ({ prompt: 'Hello', model: 'gpt-6-sol', service_tier: 'fast', max_completion_tokens: 5 })],
  ['generate_image', () => ({ prompt: 'a lamp', n: 2, quality: 'low', size: '1024x1024' })],
  ['generate_image', async (app) => ({ prompt: 'a lamp', size: '1536x1024', reference_images: [await makeImage(app)] })],
  ['edit_image', async (app) => ({ prompt: 'brighter', images: [await makeImage(app), await makeImage(app)], size: '64x64', n: 2 })],
  ['synthesize_speech', () => ({ input: 'Hello, world: ähm, 你好.', model: 'tts-1' })],
  ['synthesize_speech', () => ({ input: 'Hello, world.', model: 'gpt-audio-1.5', instructions: 'Calm.' })],
  ['synthesize_speech', () => ({ input: 'A sentence, of many. '.repeat(300), model: 'tts-1' })],
  ['transcribe_audio', async (app) => ({ audio: await makeSpeech(app) })],
  ['transcribe_audio', async (app) => ({ audio: await makeSpeech(app), model: 'whisper-1' })],
  ['generate_video', () => ({ prompt: 'a lamp', seconds: 8, wait_seconds: 600 })],
];

/** Whose upstream does not say what it bills. */
const UNSAID: (typeof CALLS)[number] = ['synthesize_speech', () => ({ input: 'Hello, this is about a second.' })];

const logOf = ({ logged }: App, tool: string) => JSON.parse(logged.findLast((line) => line.includes(`"tool":"${tool}"`)) ?? '{}');

describe('a result says what the call has cost: what the upstream charges', () => {
  test.each(CALLS)('%s %#', async (name, argsOf) => {
    const app = await createPricedApp();
    const args = await argsOf(app);
    const before = await billed(app);
    const { structuredContent } = await app.call(name, args);
    expect(structuredContent.cost_usd).toBeGreaterThan(0);
    expect(structuredContent.cost_usd).toBeCloseTo((await billed(app)) - before, 9);
    expect(structuredContent).not.toHaveProperty('cost_note');
    expect(logOf(app, name).cost_usd).toBeCloseTo(structuredContent.cost_usd, 9);
  });

  test('also when the text is streamed', async () => {
    const app = await createPricedApp();
    await app.rpc('tools/call', {
      name: 'chat_completion',
      arguments: { prompt: 'Hello', service_tier: 'flex' },
      _meta: { progressToken: 1 },
    });
    expect(logOf(app, 'chat_completion').cost_usd).toBeCloseTo(await billed(app), 9);
  });

  test('as an estimate, which says so, where the upstream says nothing', async () => {
    const app = await createPricedApp();
    const { structuredContent } = await app.call('synthesize_speech', { input: 'Hello, this is about a second.' });
    expect(structuredContent.cost_note).toMatch(/^Estimated from the length/);
    expect(structuredContent.cost_usd / (await billed(app))).toBeCloseTo(1, 1);
  });

  test('in the list of what was made', async () => {
    const app = await createPricedApp();
    const { structuredContent } = await app.call('generate_image', { prompt: 'a lamp', size: '64x64' });
    await expect
      .poll(async () => JSON.stringify((await app.call('list_media', {})).structuredContent))
      .toContain(`"cost_usd":${structuredContent.cost_usd}`);
  });
});

describe('nothing is counted twice', () => {
  test('a video that a call only continues', async () => {
    const app = await createPricedApp();
    const args = { prompt: 'a lamp', wait_seconds: 600 };
    const { video_id } = (await app.call('generate_video', args)).structuredContent;
    const { structuredContent } = await app.call('generate_video', { video_id });
    expect(structuredContent.status).toBe('completed');
    expect(structuredContent).not.toHaveProperty('cost_usd');
    expect(logOf(app, 'generate_video')).not.toHaveProperty('cost_usd');
  });

  test('a result that is collected, which says again what its call has cost', async () => {
    const app = await createPricedApp();
    const args = { prompt: 'a lamp', size: '64x64', idempotency_key: crypto.randomUUID() };
    const first = (await app.call('generate_image', args)).structuredContent;
    const second = (await app.call('generate_image', args)).structuredContent;
    expect(second).toMatchObject({ collected: true, cost_usd: first.cost_usd });
    expect(logOf(app, 'generate_image')).not.toHaveProperty('cost_usd');
  });

  test('an image that was billed, and is stored by a later call', async () => {
    let isBroken = true;
    const runtime = testRuntime({ outlivesClients: true });
    const fetch: typeof runtime.fetch = async (input, init) =>
      isBroken && isUpload(init) ? new Response(null, { status: 503 }) : runtime.fetch(input, init);
    const app = createTestApp(testEnvironment({ MODEL_PRICES }), { ...runtime, fetch });
    const args = { prompt: 'a pier', size: '64x64' };
    expect((await app.call('generate_image', args)).content[0]?.text).toContain('media_lost');
    expect(logOf(app, 'generate_image').cost_usd).toBeCloseTo(await billed(app), 9);
    isBroken = false;
    expect((await app.call('generate_image', args)).structuredContent).toMatchObject({ collected: true, cost_usd: 0 });
    expect(logOf(app, 'generate_image')).not.toHaveProperty('cost_usd');
    expect(await app.bills()).toHaveLength(1);
  });

  test('parts of long speech that an earlier call has made', async () => {
    const app = await createPricedApp();
    const args = { input: `${'A sentence, of many. '.repeat(300)}${crypto.randomUUID()}`, model: 'tts-1' };
    await app.fail({ status: 400, at: 'speech' });
    const failed = await app.call('synthesize_speech', args);
    expect(failed.isError).toBe(true);
    const before = await billed(app);
    expect(before).toBeGreaterThan(0);
    expect(logOf(app, 'synthesize_speech').cost_usd).toBeCloseTo(before, 9);
    const { structuredContent } = await app.call('synthesize_speech', args);
    expect(structuredContent.cost_usd).toBeCloseTo((await billed(app)) - before, 9);
  });
});

describe('what may have been billed is counted', () => {
  test('for images that a broken answer has lost', async () => {
    const app = await createPricedApp({ MODEL_PRICES: '{"gpt-image-2": {"image": 0.1}}' });
    await app.fail({ at: 'images', cut: true });
    const { structuredContent } = await app.call('generate_image', { prompt: 'a lamp', size: '512x512', n: 5 });
    expect(structuredContent.images.length).toBeLessThan(5);
    expect(structuredContent.cost_usd).toBeCloseTo(0.5, 9);
  });

  test.each(['tts-1', 'gpt-audio-1.5'])('for the part of long speech that fails, besides the others: %s', async (model) => {
    const app = await createPricedApp();
    const args = { input: `${'A sentence, of many. '.repeat(300)}${crypto.randomUUID()}`, model, response_format: 'wav' };
    await app.fail({ status: 500, at: model === 'tts-1' ? 'speech' : 'chat' });
    expect(textOf(await app.call('synthesize_speech', args))).toContain('may have been processed and billed');
    const others = await billed(app);
    expect(others).toBeGreaterThan(0);
    // Of four parts, two are made, and the last is not begun.
    const share = logOf(app, 'synthesize_speech').cost_usd / others;
    expect(share).toBeGreaterThan(1.3);
    expect(share).toBeLessThan(2);
  });
});

describe('a price that is not known', () => {
  test.each([
    ['chat_completion', { prompt: 'Hello' }],
    ['generate_image', { prompt: 'a lamp', size: '64x64' }],
    ['synthesize_speech', { input: 'Hello' }],
  ])('is named in the result of %s', async (name, args) => {
    const { structuredContent } = await createTestApp().call(name, args);
    expect(structuredContent).not.toHaveProperty('cost_usd');
    expect(structuredContent.cost_note).toMatch(/^The price of the model gpt-\S+ is not known; the operator can set MODEL_PRICES\.$/);
  });

  test('is one of the operator, a free one, or that of an Azure deployment', async () => {
    const costOf = async (overrides: Environment) =>
      (await createTestApp(testEnvironment(overrides)).call('chat_completion', { prompt: 'Hello' })).structuredContent;
    const own = await costOf({ MODEL_PRICES: '{"gpt-6-luna": {"input": 0, "output": 1000}}' });
    expect(own.cost_usd).toBe(own.usage.completion_tokens / 1000);
    expect((await costOf({ MODEL_PRICES: '{"gpt-6-luna": 0}' })).cost_usd).toBe(0);
    const azure = {
      AZURE_OPENAI_ENDPOINT: inject('openaiUrl'),
      AZURE_OPENAI_API_KEY: newAccount(),
      AZURE_OPENAI_CHAT_DEPLOYMENT: 'team-chat',
    };
    expect((await costOf(azure)).cost_note).toContain('the model team-chat');
    const { usage, cost_usd } = await costOf({ ...azure, MODEL_PRICES: '{"team-chat": "gpt-6-luna"}' });
    expect(cost_usd).toBeCloseTo((usage.prompt_tokens * 0.1 + usage.completion_tokens * 0.5) / 1e6, 9);
  });
});

const textOf = ({ content }: ToolResult) => content[0]?.text ?? '';

describe('max_cost_usd', () => {
  test.each([...CALLS, UNSAID])(
    'refuses what may cost more, before anything is sent; what it names is enough: %s %#',
    async (name, argsOf) => {
      const app = await createPricedApp();
      const args = await argsOf(app);
      const before = (await app.requests()).length;
      const refused = textOf(await app.call(name, { ...args, max_cost_usd: 0 }));
      expect(refused).toMatch(
        /^This call may cost about \$\S+ with \S+, which is more than max_cost_usd \(0\)\. Nothing was sent or billed; /,
      );
      expect(refused).toContain('(too_expensive, ');
      expect(await app.requests()).toHaveLength(before);
      const estimate = Number(/about \$(\S+) with/.exec(refused)?.[1]);
      const { structuredContent } = await app.call(name, { ...args, max_cost_usd: estimate });
      expect(structuredContent.cost_usd).toBeGreaterThan(0);
      expect(structuredContent.cost_usd).toBeLessThanOrEqual(estimate);
    },
  );

  test('counts a schema, which is billed as input', async () => {
    const app = await createPricedApp();
    const json_schema = { type: 'object', properties: { a: { type: 'string', description: 'word '.repeat(100_000) } } };
    const args = { prompt: 'Hello', max_completion_tokens: 10, json_schema };
    // A hundred thousand tokens for a tenth of a dollar a million.
    expect(textOf(await app.call('chat_completion', { ...args, max_cost_usd: 0.01 }))).toContain('(too_expensive, ');
    expect(await app.requests()).toEqual([]);
  });

  test('refuses what it cannot hold, as the price is not known', async () => {
    const app = createTestApp();
    const refused = textOf(await app.call('generate_image', { prompt: 'a lamp', max_cost_usd: 100 }));
    expect(refused).toMatch(
      /^Max_cost_usd \(100\) cannot be held: The price of the model gpt-image-2 is not known; .*MODEL_PRICES\. Nothing was sent/,
    );
    expect(await app.requests()).toEqual([]);
  });

  test('does not refuse what is paid for: a retry, and what goes on', async () => {
    const runtime = testRuntime();
    const app = createTestApp(testEnvironment({ MODEL_PRICES }), runtime);
    await app.setVideos({ jobSeconds: 1 });
    const key = { idempotency_key: crypto.randomUUID() };
    await app.call('generate_image', { prompt: 'a lamp', size: '64x64', ...key });
    const again = await app.call('generate_image', { prompt: 'a lamp', size: '64x64', ...key, max_cost_usd: 0 });
    expect(again.structuredContent).toMatchObject({ collected: true });
    const { job_id, video_id } = (await app.call('generate_video', { prompt: 'a lamp', wait_seconds: 0 })).structuredContent;
    const continued = { max_cost_usd: 0, wait_seconds: 600 };
    expect((await app.call('generate_video', { job_id, ...continued })).structuredContent.status).toBe('completed');
    expect((await app.call('generate_video', { video_id, ...continued })).structuredContent.status).toBe('completed');
  });
});

test('list_supported_models has prices', async () => {
  const app = await createPricedApp({ MODEL_PRICES: JSON.stringify({ ...JSON.parse(MODEL_PRICES), 'gpt-6-luna': 0 }) });
  const { structuredContent } = await app.call('list_supported_models', {});
  const prices = structuredContent.models.flatMap(({ choices }: { choices: { model: string; price?: string }[] }) =>
    choices.map(({ model, price }) => [model, price] as const),
  );
  expect(Object.fromEntries(prices)).toMatchObject({
    'gpt-6-luna': 'free',
    'gpt-6-sol': '$2 in, $10 out per 1M tokens',
    'gpt-image-2': '$5 in, $8 image in, $30 image out per 1M tokens',
    'tts-1': '$15 per 1M characters',
    'gpt-transcribe': '$0.0045 a minute',
    'sora-2': '$0.1 a second',
    'compatible-image': undefined,
  });
});
