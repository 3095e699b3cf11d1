import { expect, inject, test } from 'vitest';
import { MAX_CHOICES, MAX_CHOICES_CHARACTERS } from '../../src/limits.ts';
import { CLOCK_SPEED, createSleepClock, createTestApp, eventually, testEnvironment, testRuntime } from '../support.ts';

const NOW_MS = Date.parse('2026-11-24T12:00:00Z');
const MINUTE_MS = 60_000;

/** An app whose clock the test sets, and that waits for the stand-in however long it takes. */
function createApp({ env = testEnvironment(), timeLimit = (_: number) => new Promise<void>(() => {}) } = {}) {
  const clock = { nowMs: NOW_MS };
  const app = createTestApp(env, testRuntime({ now: () => clock.nowMs, timeLimit }));
  const choices = async (capability: string) => {
    const { structuredContent } = await app.call('list_supported_models', {});
    return structuredContent.models.find((model: { capability: string }) => model.capability === capability);
  };
  return { ...app, clock, choices };
}

const modelList = (...models: object[]) => ({
  at: '/v1/models',
  status: 200,
  body: JSON.stringify({ data: models }),
  headers: { 'content-type': 'application/json' },
});

test('the default comes first, then known models, each with hints, date and successor', async () => {
  const app = createApp();
  expect((await app.choices('chat')).choices).toEqual([
    { model: 'gpt-6-luna', default: true, hints: ['fast', 'cheap'] },
    { model: 'gpt-6-sol' },
    { model: 'gpt-4.1', retires_on: '2027-01-14', successor: 'gpt-6-luna' },
  ]);
  expect((await app.choices('image')).choices).toEqual([
    { model: 'gpt-image-2', default: true },
    { model: 'gpt-image-2.5-flare', hints: ['fast'] },
    { model: 'compatible-image' },
  ]);
});

test('models that no tool can use, or that have retired, are not offered', async () => {
  const app = createApp();
  const others = ['text-embedding-4', 'omni-moderation-latest', 'whisper-1', 'gpt-transcribe', 'gpt-realtime-2.1-mini', 'o3-pro'];
  const ids = [...others, 'llama-4-instruct', 'kokoro-tts', 'gpt-image-9', 'sora-3', 'gpt-6-luna', 'a model', 'x'.repeat(201)];
  await app.fail(modelList(...ids.map((id) => ({ id })), { id: 'gpt-image-1' }, { id: 'gpt-5-nano', shutdown_date: '2026-11-24' }));
  const named = async (capability: string) => (await app.choices(capability)).choices.map(({ model }: { model: string }) => model);
  expect(await named('chat')).toEqual(['gpt-6-luna', 'llama-4-instruct']);
  expect(await named('image')).toEqual(['gpt-image-2', 'gpt-image-9', 'gpt-image-1']);
  expect(await named('audio')).toEqual(['gpt-4o-mini-tts', 'kokoro-tts']);
  expect(await named('video')).toEqual(['sora-2', 'sora-3']);
});

test('a long list is bounded in number and characters, and the rest counted', async () => {
  const short = createApp();
  await short.fail(modelList(...Array.from({ length: 500 }, (_, index) => ({ id: `m-${index}` }))));
  const { choices, choices_omitted } = await short.choices('chat');
  expect(choices).toHaveLength(MAX_CHOICES);
  expect(choices_omitted).toBe(501 - MAX_CHOICES);
  const long = createApp();
  await long.fail(modelList(...Array.from({ length: 500 }, (_, index) => ({ id: `${index}`.padStart(200, 'm') }))));
  const bounded = await long.choices('chat');
  expect(JSON.stringify(bounded.choices).length).toBeLessThan(MAX_CHOICES_CHARACTERS + MAX_CHOICES);
  expect(bounded.choices_omitted).toBe(501 - bounded.choices.length);
});

test('a list is kept for ten minutes, a failure for one', async () => {
  const app = createApp();
  await app.fail({ at: '/v1/models', status: 500 });
  const asked = async () => (await app.requests()).length;
  expect(await app.choices('chat')).toMatchObject({
    choices: [{ model: 'gpt-6-luna', default: true }],
    choices_problem: expect.stringContaining('500'),
  });
  app.clock.nowMs += MINUTE_MS - 1;
  expect(await app.choices('chat')).toHaveProperty('choices_problem');
  expect(await asked()).toBe(1);
  app.clock.nowMs += 1;
  expect(await app.choices('chat')).not.toHaveProperty('choices_problem');
  app.clock.nowMs += 10 * MINUTE_MS - 1;
  await app.choices('chat');
  expect(await asked()).toBe(2);
  app.clock.nowMs += 1;
  await app.choices('chat');
  expect(await asked()).toBe(3);
});

test('calls at the same time share one request', async () => {
  const app = createApp();
  await app.fail({ hold: 'all' });
  const calls = Promise.all(Array.from({ length: 20 }, () => app.choices('chat')));
  await app.release();
  for (const { choices } of await calls) expect(choices).toHaveLength(3);
  expect(await app.requests()).toHaveLength(1);
});

test('a slow list is not awaited for longer than two seconds, and serves the next call', async () => {
  // Two seconds are over at once; the request itself has no limit here.
  const app = createApp({ timeLimit: (ms) => (ms === 2_000 ? Promise.resolve() : new Promise<void>(() => {})) });
  await app.fail({ hold: 'all' });
  expect(await app.choices('chat')).toMatchObject({
    choices: [{ model: 'gpt-6-luna', default: true }],
    choices_problem: expect.stringContaining('call again'),
  });
  await app.release();
  await eventually(async () => (await app.choices('chat')).choices.length > 1);
  expect(await app.requests()).toHaveLength(1);
});

test('of OpenAI itself the known models are offered even without its list', async () => {
  const env = testEnvironment({ OPENAI_BASE_URL: 'https://api.openai.com/v1' });
  const offline = testRuntime({ now: () => NOW_MS, fetch: () => Promise.reject(new TypeError('offline')) });
  const { structuredContent } = await createTestApp(env, offline).call('list_supported_models', {});
  const named = structuredContent.models[1].choices.map(({ model }: { model: string }) => model);
  expect(named).toEqual(expect.arrayContaining(['gpt-image-2', 'gpt-image-2.6-sunburst', 'gpt-image-1.5']));
  expect(named).not.toContain('gpt-image-1');
});

test('the results of a model that OpenAI retires within 60 days carry a warning, by the clock', async () => {
  const app = createApp();
  const warningAt = async (day: string, model: string) => {
    app.clock.nowMs = Date.parse(`${day}T00:00:00Z`);
    const { structuredContent, content } = await app.call('chat_completion', { prompt: 'Hello', model });
    const texts = content.slice(1).map(({ text }) => text);
    expect(texts).toEqual(structuredContent.warning === undefined ? [] : [structuredContent.warning]);
    return structuredContent.warning;
  };
  expect(await warningAt('2026-11-14', 'gpt-4.1')).toBeUndefined();
  expect(await warningAt('2026-11-16', 'gpt-4.1')).toBe('OpenAI retires the model gpt-4.1 on 2027-01-14. Use gpt-6-luna instead.');
  expect(await warningAt('2026-11-16', 'gpt-6-sol')).toBeUndefined();
  // A server that still has it is not OpenAI's.
  expect(await warningAt('2027-02-01', 'gpt-4.1')).toBeUndefined();
});

test("the upstream's own dates decide, once its list is known; every paid tool warns", async () => {
  const app = createTestApp(testEnvironment(), testRuntime(createSleepClock(CLOCK_SPEED)));
  await app.setVideos({ jobSeconds: 30, speed: CLOCK_SPEED });
  const date = (days: number) => new Date(Date.now() + days * 24 * 60 * MINUTE_MS).toISOString().slice(0, 10);
  const soon = ['gpt-6-luna', 'gpt-image-2', 'gpt-4o-mini-tts', 'sora-2'].map((id) => ({ id, shutdown_date: date(20) }));
  await app.fail(modelList(...soon, { id: 'gpt-6-sol', shutdown_date: date(100) }));
  await app.call('list_supported_models', { verify: true });
  const calls = {
    chat_completion: { prompt: 'Hello' },
    generate_image: { prompt: 'a lamp', size: '64x64' },
    synthesize_speech: { input: 'Hello' },
    generate_video: { prompt: 'a lamp', wait_seconds: 600 },
  };
  for (const [tool, args] of Object.entries(calls)) {
    const { structuredContent, content } = await app.call(tool, args);
    expect(structuredContent.warning, tool).toContain(`retires on ${date(20)}.`);
    expect(content.at(-1)?.text).toBe(structuredContent.warning);
  }
  const { structuredContent } = await app.call('chat_completion', { prompt: 'Hello', model: 'gpt-6-sol' });
  expect(structuredContent).not.toHaveProperty('warning');
});

test('another server that lists a model without a date keeps it, and on Azure names say nothing', async () => {
  const app = createApp();
  await app.fail(modelList({ id: 'gpt-4.1' }));
  await app.choices('chat');
  const own = await app.call('chat_completion', { prompt: 'Hello', model: 'gpt-4.1' });
  expect(own.structuredContent).not.toHaveProperty('warning');
  const env = testEnvironment({ AZURE_OPENAI_ENDPOINT: inject('openaiUrl'), AZURE_OPENAI_API_KEY: 'account-azure' });
  const azure = createApp({ env });
  expect((await azure.choices('audio')).choices).toEqual([
    { model: 'gpt-4o-mini-tts', default: true, hints: ['best'], price: expect.any(String) },
  ]);
});
