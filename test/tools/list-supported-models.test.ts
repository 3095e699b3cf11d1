import { expect, inject, test } from 'vitest';
import { createTestApp, newAccount, testEnvironment, testRuntime } from '../support.ts';

/** Reaches the stand-in only, and waits for it however long it takes. */
function offlineRuntime() {
  const { fetch, sleep } = testRuntime({}, 1);
  return testRuntime({
    fetch: (input, init) => (String(input).startsWith(inject('openaiUrl')) ? fetch(input, init) : Promise.reject(new TypeError('offline'))),
    timeLimit: (ms, signal) => sleep(ms * 60, signal),
  });
}

type ModelEntry = { capability: string; choices?: object[] };

async function list(env = testEnvironment(), args: object = {}) {
  const app = createTestApp(env, offlineRuntime());
  const { structuredContent } = await app.call('list_supported_models', args);
  const models: ModelEntry[] = structuredContent.models;
  const byCapability = Object.fromEntries(models.map((model) => [model.capability, model])) as unknown as Record<
    'chat' | 'image' | 'audio' | 'video' | 'transcription',
    ModelEntry
  >;
  return { ...byCapability, storage: structuredContent.storage, requests: await app.requests() };
}

test('each capability has its tool, model, host and choices, from one request', async () => {
  const endpoint_host = new URL(inject('openaiUrl')).host;
  const common = { provider: 'compatible', endpoint_host, available: true };
  const { requests, ...listed } = await list();
  const sora = { model: 'sora-2', default: true, hints: ['fast', 'cheap'] };
  expect(listed).toEqual({
    chat: { capability: 'chat', tool: 'chat_completion', model: 'gpt-6-luna', choices: expect.any(Array), ...common },
    image: { capability: 'image', tool: 'generate_image, edit_image', model: 'gpt-image-2', choices: expect.any(Array), ...common },
    audio: { capability: 'audio', tool: 'synthesize_speech', model: 'gpt-4o-mini-tts', choices: expect.any(Array), ...common },
    video: { capability: 'video', tool: 'generate_video', model: 'sora-2', choices: [sora], ...common },
    transcription: {
      capability: 'transcription',
      tool: 'transcribe_audio',
      model: 'gpt-transcribe',
      choices: [
        { model: 'gpt-transcribe', default: true, hints: ['best'] },
        { model: 'whisper-1', retires_on: '2027-02-26', successor: 'gpt-transcribe' },
      ],
      ...common,
    },
    storage: { configured: true },
  });
  expect(requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /v1/models']);
});

test('OpenAI without a key is not available, and says which variable is missing', async () => {
  const { chat } = await list({ MCP_SERVER_API_KEY: testEnvironment().MCP_SERVER_API_KEY ?? '' });
  expect(chat).toMatchObject({
    provider: 'openai',
    endpoint_host: 'api.openai.com',
    available: false,
    reason: 'OPENAI_API_KEY is not set',
  });
});

test("OpenAI's own Videos API is gone, and is not shown as available", async () => {
  const { video } = await list(testEnvironment({ OPENAI_BASE_URL: 'https://api.openai.com/v1' }));
  expect(video).toMatchObject({ provider: 'openai', available: false, reason: expect.stringContaining('OPENAI_VIDEO_BASE_URL') });
});

test("a capability on OpenAI's server needs a key of its own", async () => {
  const { chat } = await list(testEnvironment({ OPENAI_CHAT_BASE_URL: 'https://api.openai.com/v1' }));
  expect(chat).toMatchObject({ provider: 'openai', available: false, reason: 'OPENAI_CHAT_API_KEY is not set' });
});

test.each([
  ['HTML', '<html>'],
  ['no list', '{"models":[]}'],
  ['a bare list', '[{"id":"gpt-6-luna"}]'],
  ['null', 'null'],
])('verify: an upstream that returns %s says nothing about a model', async (_, body) => {
  const app = createTestApp();
  await app.fail({ status: 200, body, headers: { 'content-type': 'application/json' } });
  const { structuredContent } = await app.call('list_supported_models', { verify: true });
  expect(structuredContent.models[0]).toMatchObject({
    capability: 'chat',
    verify_problem: expect.stringMatching(/free/),
  });
  expect(structuredContent.models[0]).not.toHaveProperty('exists');
});

test('verify: a server is asked once, also when it serves everything', async () => {
  expect((await list(testEnvironment(), { verify: true })).requests).toHaveLength(1);
});

test('regional hosts of OpenAI are OpenAI', async () => {
  expect((await list(testEnvironment({ OPENAI_BASE_URL: 'https://eu.api.openai.com/v1' }))).chat).toMatchObject({ provider: 'openai' });
  expect((await list(testEnvironment({ OPENAI_BASE_URL: 'https://api.openai.com.example.com/v1' }))).chat).toMatchObject({
    provider: 'compatible',
  });
});

test('media is not available without storage, chat is', async () => {
  const listed = await list(testEnvironment({ AZURE_STORAGE_CONNECTION_STRING: '' }));
  expect(listed.chat).toMatchObject({ available: true });
  for (const media of [listed.image, listed.audio, listed.video]) {
    expect(media).toMatchObject({ available: false, reason: 'storage is not configured: AZURE_STORAGE_CONNECTION_STRING' });
  }
  expect(listed.storage).toEqual({ configured: false, missing: ['AZURE_STORAGE_CONNECTION_STRING'] });
});

const azure = () =>
  testEnvironment({
    AZURE_OPENAI_ENDPOINT: inject('openaiUrl'),
    AZURE_OPENAI_API_KEY: newAccount(),
    AZURE_OPENAI_CHAT_DEPLOYMENT: 'team-chat',
    AZURE_OPENAI_IMAGE_DEPLOYMENT: 'gpt-image-2',
  });

test('Azure has deployments, and no video', async () => {
  const { chat, video, requests } = await list(azure());
  expect(requests).toEqual([]);
  expect(chat.choices).toEqual([{ model: 'team-chat', default: true }]);
  expect(chat).toMatchObject({ provider: 'azure', deployment: 'team-chat', available: true });
  expect(chat).not.toHaveProperty('model');
  expect(video).toMatchObject({ provider: 'azure', available: false, reason: expect.stringContaining('OPENAI_VIDEO_BASE_URL') });
});

test('one capability on another server', async () => {
  const { video, chat } = await list({ ...azure(), OPENAI_VIDEO_BASE_URL: 'https://video.example.com/v1', OPENAI_VIDEO_MODEL: 'movie-1' });
  expect(video).toEqual({
    capability: 'video',
    tool: 'generate_video',
    provider: 'compatible',
    model: 'movie-1',
    endpoint_host: 'video.example.com',
    available: true,
    choices: [{ model: 'movie-1', default: true }],
    choices_problem: expect.stringContaining('video.example.com'),
  });
  expect(chat).toMatchObject({ provider: 'azure' });
});

test('verify: whether the models exist, and when they end', async () => {
  const listed = await list(testEnvironment({ OPENAI_VIDEO_MODEL: 'no-such-model' }), { verify: true });
  expect(listed.chat).toMatchObject({ exists: true });
  expect(listed.chat).not.toHaveProperty('shutdown_date');
  expect(listed.audio).toMatchObject({ exists: true, shutdown_date: '2027-01-06' });
  expect(listed.video).toMatchObject({ exists: false });
});

test('verify on Azure: a deployment may have any name, so only a match says something', async () => {
  const listed = await list(azure(), { verify: true });
  expect(listed.image).toMatchObject({ exists: true });
  expect(listed.chat).toMatchObject({ verify_problem: expect.stringMatching(/base model|deployment/) });
  expect(listed.chat).not.toHaveProperty('exists');
});

test('verify with a wrong key: reported for each model, and the rest of the result stands', async () => {
  const { chat, storage } = await list(testEnvironment({ OPENAI_API_KEY: `wrong-${newAccount()}` }), { verify: true });
  expect(chat).toMatchObject({ model: 'gpt-6-luna', available: true, verify_problem: expect.stringContaining('401') });
  expect(storage).toEqual({ configured: true });
});
