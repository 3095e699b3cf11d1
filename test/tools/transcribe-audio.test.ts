import { describe, expect, inject, test } from 'vitest';
import { createTestApp, newAccount, testEnvironment, testRuntime } from '../support.ts';

type App = ReturnType<typeof createTestApp>;

/** Speech that the gateway has stored. */
async function makeSpeech(app: App, response_format = 'mp3'): Promise<string> {
  return (await app.call('synthesize_speech', { input: 'Hello', response_format })).structuredContent.url;
}

const sent = async (app: App) => (await app.requests()).filter(({ path }) => path.endsWith('/transcriptions'));

describe('what is sent', () => {
  test('the file, and nothing that the caller has not set', async () => {
    const app = createTestApp();
    const audio = await makeSpeech(app);
    const { structuredContent, content } = await app.call('transcribe_audio', { audio });
    expect(structuredContent).toEqual({
      text: expect.stringMatching(/^The stand-in heard \(en\): \d+ seconds of MPEG\.$/),
      characters: structuredContent.text.length,
      model: 'gpt-transcribe',
      usage: { type: 'duration', seconds: expect.any(Number) },
      cost_note: expect.stringContaining('MODEL_PRICES'),
    });
    expect(content[0]?.text).toBe(structuredContent.text);
    expect((await sent(app)).map(({ body }) => body)).toEqual([
      { file: { type: 'audio/mpeg', bytes: expect.any(Number) }, model: 'gpt-transcribe' },
    ]);
  });

  test('everything that the caller has set', async () => {
    const app = createTestApp();
    const args = { audio: await makeSpeech(app), language: 'de', prompt: 'A meeting', keywords: ['Azurite', 'workerd'] };
    const { structuredContent } = await app.call('transcribe_audio', args);
    expect(structuredContent.text).toMatch(/\(de\).*A meeting, Azurite, workerd/);
  });

  test('to an older model, its one language', async () => {
    const app = createTestApp();
    const audio = await makeSpeech(app);
    const { structuredContent } = await app.call('transcribe_audio', { audio, model: 'whisper-1', language: 'fr' });
    expect(structuredContent.text).toContain('(fr)');
    const { content } = await app.call('transcribe_audio', { audio, model: 'whisper-1', keywords: ['x'] });
    expect(content[0]?.text).toMatch(/keywords: not supported by the model whisper-1.*Nothing was sent/);
    expect(await sent(app)).toHaveLength(1);
  });

  test.each(['mp3', 'opus', 'flac', 'wav'])('%s, under a name that says so', async (format) => {
    const app = createTestApp();
    const result = await app.call('transcribe_audio', { audio: await makeSpeech(app, format) });
    expect(result.isError).toBeUndefined();
  });

  test('the sound of a video', async () => {
    const app = createTestApp();
    await app.setVideos({ jobSeconds: 0.01 });
    const { structuredContent } = await app.call('generate_video', { prompt: 'a lamp', wait_seconds: 600 });
    expect((await app.call('transcribe_audio', { audio: structuredContent.video.url })).isError).toBeUndefined();
  });

  test.each([
    ['2025-04-01-preview', '/openai/deployments/team-transcription/audio/transcriptions'],
    ['v1', '/openai/v1/audio/transcriptions'],
  ])('on Azure, to the deployment (%s)', async (AZURE_OPENAI_API_VERSION, path) => {
    const audio = await makeSpeech(createTestApp());
    const azure = {
      AZURE_OPENAI_ENDPOINT: inject('openaiUrl'),
      AZURE_OPENAI_API_KEY: newAccount(),
      AZURE_OPENAI_TRANSCRIPTION_DEPLOYMENT: 'team-transcription',
    };
    const app = createTestApp(testEnvironment({ ...azure, AZURE_OPENAI_API_VERSION }));
    expect((await app.call('transcribe_audio', { audio })).structuredContent).toMatchObject({ model: 'team-transcription' });
    expect((await sent(app))[0]?.path).toBe(path);
  });
});

describe('a long text', () => {
  test('is also stored as a file', async () => {
    const app = createTestApp();
    const { structuredContent, content } = await app.call('transcribe_audio', { audio: await makeSpeech(app), prompt: '[500 times]' });
    const { text, file } = structuredContent;
    expect(text.length).toBeGreaterThan(8_000);
    expect(file).toMatchObject({ content_type: 'text/plain; charset=utf-8', url: expect.stringMatching(/\.txt$/) });
    const response = await fetch(file.url);
    expect([response.headers.get('content-type'), await response.text()]).toEqual(['text/plain; charset=utf-8', text]);
    expect(content[1]?.text).toContain(file.url);
  });

  test('that cannot be stored is in the result all the same', async () => {
    const audio = await makeSpeech(createTestApp());
    const runtime = testRuntime();
    const fetch: typeof globalThis.fetch = async (input, init) =>
      String(input).includes('.txt') ? new Response(null, { status: 403 }) : runtime.fetch(input, init);
    const app = createTestApp(testEnvironment(), { ...runtime, fetch });
    const { structuredContent } = await app.call('transcribe_audio', { audio, prompt: '[500 times]' });
    expect(structuredContent.text.length).toBeGreaterThan(8_000);
    expect(structuredContent.warning).toMatch(/could not be stored/);
  });
});

test('the same call with its key is paid for once', async () => {
  const app = createTestApp(testEnvironment(), testRuntime({ outlivesClients: true }));
  const args = { audio: await makeSpeech(app), idempotency_key: 'k' };
  const [first, second] = [await app.call('transcribe_audio', args), await app.call('transcribe_audio', args)];
  expect(second.structuredContent.text).toBe(first.structuredContent.text);
  expect(await sent(app)).toHaveLength(1);
});

describe('what cannot be transcribed', () => {
  const hosts = { MCP_ALLOWED_INPUT_HOSTS: 'audio.example.com' };
  const audio = 'https://audio.example.com/x.mp3';
  const respond = (body: BodyInit, headers: Record<string, string> = {}) => {
    const fetchPublic: typeof fetch = async () => new Response(body, { headers });
    return createTestApp(testEnvironment(hosts), { ...testRuntime(), fetchPublic });
  };

  test.each<[string, () => App, object, RegExp]>([
    ['a page', () => respond('<html>'), { audio }, /audio: is not a flac, mp3/],
    ['nothing', () => respond(''), { audio }, /audio: is not a flac, mp3/],
    [
      'what says that it is too long',
      () => respond('ID3', { 'content-length': `${26 * 1024 * 1024}` }),
      { audio },
      /audio: is 26 MB, and at most \d+ MB .*Opus/,
    ],
    ['what is too long', () => respond(new Uint8Array(26 * 1024 * 1024)), { audio }, /audio: .*(larger than|at most)/],
    ['another host', () => createTestApp(), { audio }, /audio: is on a host .*MCP_ALLOWED_INPUT_HOSTS/],
    ['no language', () => createTestApp(), { audio, language: 'german' }, /language: must be a language code/],
  ])('%s: nothing is sent', async (_, create, args, problem) => {
    const app = create();
    const { isError, content } = await app.call('transcribe_audio', args);
    expect(isError).toBe(true);
    expect(content[0]?.text).toMatch(problem);
    expect(await sent(app)).toHaveLength(0);
  });

  test('without a server for it, whatever model is asked for: nothing is read or recorded', async () => {
    const app = createTestApp(testEnvironment({ OPENAI_BASE_URL: '', OPENAI_API_KEY: '' }));
    const { content } = await app.call('transcribe_audio', { audio, model: 'whisper-1', idempotency_key: 'k' });
    expect(content[0]?.text).toMatch(/not configured.*OPENAI_API_KEY.*\(not_configured/);
    expect(app.logged.some((line) => line.includes('"event":"job"'))).toBe(false);
  });

  test('an answer without a text may be billed, and says so', async () => {
    const app = createTestApp();
    const url = await makeSpeech(app);
    await app.fail({ status: 200, body: '{"words":[]}', headers: { 'content-type': 'application/json' } });
    expect((await app.call('transcribe_audio', { audio: url })).content[0]?.text).toMatch(/no transcript.*billed/);
  });
});
