import { parseBuffer } from 'music-metadata';
import { describe, expect, inject, test } from 'vitest';
import { createTestApp, isUpload, newAccount, testEnvironment, testRuntime } from '../support.ts';

const SPEECH = { input: 'Hello, world.', voice: 'nova' };

async function read(url: string): Promise<{ type: string | null; bytes: Uint8Array }> {
  const response = await fetch(url);
  return { type: response.headers.get('content-type'), bytes: new Uint8Array(await response.arrayBuffer()) };
}

/** Records the uploads to storage. */
function recordUploads() {
  const uploads: { query: URLSearchParams; headers: Headers }[] = [];
  const runtime = testRuntime();
  const { fetch } = runtime;
  return {
    uploads,
    runtime: {
      ...runtime,
      fetch: ((input, init) => {
        if (isUpload(init)) uploads.push({ query: new URL(String(input)).searchParams, headers: new Headers(init.headers) });
        return fetch(input, init);
      }) as typeof fetch,
    },
  };
}

describe('what is sent', () => {
  test('the input and a voice, and nothing that the caller has not set', async () => {
    const app = createTestApp();
    await app.call('synthesize_speech', { input: 'Hello' });
    expect((await app.requests()).map(({ path, body }) => ({ path, body }))).toEqual([
      { path: '/v1/audio/speech', body: { model: 'gpt-4o-mini-tts', input: 'Hello', voice: 'alloy' } },
    ]);
  });

  test('everything that the caller has set', async () => {
    const args = {
      input: 'Hello',
      voice: { id: 'voice_1' },
      instructions: 'Whisper.',
      response_format: 'opus',
      speed: 1.5,
      model: 'gpt-4o-mini-tts',
    };
    const app = createTestApp();
    expect((await app.call('synthesize_speech', args)).structuredContent).toMatchObject({ voice: 'voice_1' });
    expect((await app.requests())[0]?.body).toEqual(args);
  });

  test.each([
    ['2025-04-01-preview', '/openai/deployments/team-audio/audio/speech'],
    ['v1', '/openai/v1/audio/speech'],
  ])('on Azure, to the deployment (%s)', async (AZURE_OPENAI_API_VERSION, path) => {
    const azure = {
      AZURE_OPENAI_ENDPOINT: inject('openaiUrl'),
      AZURE_OPENAI_API_KEY: newAccount(),
      AZURE_OPENAI_AUDIO_DEPLOYMENT: 'team-audio',
    };
    const app = createTestApp(testEnvironment({ ...azure, AZURE_OPENAI_API_VERSION }));
    expect((await app.call('synthesize_speech', SPEECH)).structuredContent).toMatchObject({ model: 'team-audio' });
    expect((await app.requests())[0]?.path).toBe(path);
  });
});

describe('what comes back', () => {
  test.each([
    ['mp3', 'audio/mpeg', { container: 'MPEG', codec: 'MPEG 2 Layer 3' }],
    ['opus', 'audio/ogg', { container: 'Ogg', codec: 'Opus' }],
    ['aac', 'audio/aac', { container: 'ADTS/MPEG-4', codec: 'AAC' }],
    ['flac', 'audio/flac', { container: 'FLAC' }],
    ['wav', 'audio/wav', { container: 'WAVE', sampleRate: 24_000 }],
  ])('%s that can be played, with its own type and ending', async (response_format, content_type, format) => {
    const { structuredContent } = await createTestApp().call('synthesize_speech', { ...SPEECH, response_format });
    const { type, bytes } = await read(structuredContent.url);
    // Whether its model is about to retire depends on the date.
    expect({ ...structuredContent, warning: undefined }).toEqual({
      url: expect.stringMatching(new RegExp(`/audio/\\d{4}/\\d{2}/\\d{2}/[\\w-]{36}\\.${response_format}$`)),
      content_type,
      bytes: bytes.byteLength,
      format: response_format,
      model: 'gpt-4o-mini-tts',
      voice: 'nova',
      characters: 13,
      cost_note: expect.stringContaining('MODEL_PRICES'),
    });
    expect(type).toBe(content_type);
    const decoded = await parseBuffer(bytes, undefined, { duration: true });
    expect(decoded.format).toMatchObject(format);
    expect(decoded.format.duration).toBeGreaterThan(1);
  });

  test('pcm, with what a player must know', async () => {
    const { structuredContent } = await createTestApp().call('synthesize_speech', { ...SPEECH, response_format: 'pcm' });
    expect(structuredContent).toMatchObject({
      format: 'pcm',
      content_type: 'audio/pcm',
      sample_rate: 24_000,
      channels: 1,
      sample_format: 's16le',
    });
    expect(structuredContent.url).toMatch(/\.pcm$/);
    expect((await read(structuredContent.url)).bytes.byteLength).toBe(structuredContent.bytes);
  });

  test('a sound of another format than was asked for is stored as what it is: it is paid for', async () => {
    const app = createTestApp();
    await app.fail({ status: 200, body: 'fLaC and so on', headers: { 'content-type': 'audio/mpeg' } });
    expect((await app.call('synthesize_speech', SPEECH)).structuredContent).toMatchObject({ format: 'flac', content_type: 'audio/flac' });
  });

  test.each([
    ['wav', 'RIFF\0\0\0\0WAVEfmt ', 'audio/pcm'],
    ['mp3', 'ID3 and so on', 'application/octet-stream'],
    ['flac', 'fLaC and so on', 'audio/pcm'],
  ])('what is %s is not called pcm, whatever was asked for', async (format, body, type) => {
    const app = createTestApp();
    await app.fail({ status: 200, body, headers: { 'content-type': type } });
    const { structuredContent } = await app.call('synthesize_speech', { ...SPEECH, response_format: 'pcm' });
    expect(structuredContent).toMatchObject({ format });
    expect(structuredContent).not.toHaveProperty('sample_rate');
  });

  test('the URL in text and as a resource link', async () => {
    const { content, structuredContent } = await createTestApp(testEnvironment({ MCP_RESOURCE_LINKS: '1' })).call(
      'synthesize_speech',
      SPEECH,
    );
    expect(content.slice(0, 2)).toEqual([
      { type: 'text', text: expect.stringContaining(structuredContent.url) },
      {
        type: 'resource_link',
        uri: structuredContent.url,
        name: expect.stringMatching(/\.mp3$/),
        mimeType: 'audio/mpeg',
        size: structuredContent.bytes,
      },
    ]);
  });
});

describe('nothing is spent on bad input', () => {
  test.each([
    [{}, /input: /],
    [{ input: '' }, /input: is required/],
    [{ input: ' ' }, /input: must not be blank/],
    [{ input: 'a', voice: 5 }, /voice: must be the name of a voice/],
    [{ input: 'a', voice: { name: 'x' } }, /voice/],
    [{ input: 'a', response_format: 'ogg' }, /response_format: must be one of mp3, opus/],
    [{ input: 'a', speed: 0.2 }, /speed: must be at least 0.25/],
    [{ input: 'a', speed: 4.1 }, /speed: must be at most 4/],
    [{ input: 'a', model: 'tts-1-hd', instructions: 'Whisper.' }, /instructions: .*tts-1-hd/],
    [{ input: 'a', stream_format: 'sse' }, /stream_format: .*: input, voice,/],
  ])('%j', async (args, expected) => {
    const app = createTestApp();
    const result = await app.call('synthesize_speech', args);
    expect(result.isError).toBe(true);
    expect(result.content[0]?.text).toMatch(expected);
    expect(await app.requests()).toEqual([]);
  });

  test('4,096 characters outside of the basic plane are taken', async () => {
    const app = createTestApp();
    await app.fail({ status: 200, body: 'fLaC', headers: { 'content-type': 'audio/flac' } });
    expect((await app.call('synthesize_speech', { input: '🎉'.repeat(4096) })).structuredContent).toMatchObject({ characters: 4096 });
  });

  test('nor without storage', async () => {
    const app = createTestApp(testEnvironment({ AZURE_BLOB_CONTAINER: '' }));
    expect((await app.call('synthesize_speech', SPEECH)).content[0]?.text).toContain('AZURE_BLOB_CONTAINER');
    expect(await app.requests()).toEqual([]);
  });
});

describe('responses that are not audio are errors, and leave no blob', () => {
  test.each([
    ['an empty body', 'mp3', '', 'audio/mpeg', /empty.*\(upstream_answer, /],
    ['an empty body for pcm', 'pcm', '', 'audio/pcm', /empty.*\(upstream_answer, /],
    ['JSON', 'mp3', '{"error":"x"}', 'application/json', /mp3.*\(upstream_answer, /],
    ['JSON that says it is sound', 'mp3', '{"error":"x"}', 'audio/mpeg', /mp3.*\(upstream_answer, /],
    ['HTML', 'opus', '<!doctype html><p>Hello', 'text/html', /opus.*\(upstream_answer, /],
    ['JSON for pcm', 'pcm', '{"error":{"message":"x"}}', 'audio/pcm', /pcm.*\(upstream_answer, /],
    ['JSON for pcm that is not in ASCII', 'pcm', '{"é":"ü"}', '', /pcm.*\(upstream_answer, /],
    ['HTML for pcm', 'pcm', '<html>', 'application/octet-stream', /pcm.*\(upstream_answer, /],
  ])('%s', async (_, response_format, body, type, expected) => {
    const { runtime, uploads } = recordUploads();
    const app = createTestApp(testEnvironment(), runtime);
    await app.fail({ status: 200, body, headers: { 'content-type': type } });
    const result = await app.call('synthesize_speech', { ...SPEECH, response_format });
    expect(result.isError).toBe(true);
    expect(result.content[0]?.text).toMatch(expected);
    expect(uploads).toEqual([]);
  });

  test.each(['cut', 'stall'] as const)('a body that is %s commits nothing', async (how) => {
    const { runtime, uploads } = recordUploads();
    const app = createTestApp(testEnvironment(), runtime);
    await app.fail({ [how]: true });
    const result = await app.call('synthesize_speech', SPEECH);
    expect(result.content[0]?.text).toMatch(/(billed|charged).*\(upstream_answer, /);
    expect(uploads.filter(({ query }) => query.get('comp') !== 'block')).toEqual([]);
  });
});

test('429 is retried, 500 is not', async () => {
  const app = createTestApp();
  await app.fail({ status: 429 });
  expect((await app.call('synthesize_speech', SPEECH)).isError).toBeUndefined();
  await app.fail({ status: 500 });
  expect((await app.call('synthesize_speech', SPEECH)).isError).toBe(true);
  expect(await app.requests()).toHaveLength(3);
});

test('204 is no speech', async () => {
  const app = createTestApp();
  await app.fail({ status: 204 });
  expect((await app.call('synthesize_speech', SPEECH)).content[0]?.text).toContain('(upstream_answer, ');
});

describe('a chat model that speaks', () => {
  const MODEL = 'gpt-audio-1.5';

  test('reads the text through Chat Completions, told to read it verbatim', async () => {
    const app = createTestApp();
    const args = { ...SPEECH, model: MODEL, instructions: 'Whisper.', speed: 1.5 };
    const { structuredContent } = await app.call('synthesize_speech', args);
    expect(structuredContent).toMatchObject({ model: MODEL, voice: 'nova', characters: 13, format: 'mp3' });
    expect(structuredContent).not.toHaveProperty('warning');
    const [request] = await app.requests();
    expect(request).toMatchObject({
      path: '/v1/chat/completions',
      body: { model: MODEL, modalities: ['text', 'audio'], audio: { voice: 'nova', format: 'mp3' } },
    });
    const { messages } = (request?.body ?? {}) as { messages: { role: string; content: string }[] };
    expect(messages.at(-1)).toEqual({ role: 'user', content: 'Hello, world.' });
    expect(messages[0]?.content).toMatch(/word for word.*1\.5 times.*Whisper\./s);
  });

  test.each(['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm'])(
    '%s is byte for byte what the speech endpoint stores',
    async (response_format) => {
      const app = createTestApp();
      const stored = async (model: string) => {
        const { structuredContent } = await app.call('synthesize_speech', { ...SPEECH, response_format, model });
        const { url, ...rest } = structuredContent;
        return { ...rest, model: undefined, cost_note: undefined, warning: undefined, bytes: [...(await read(url)).bytes] };
      };
      expect(await stored(MODEL)).toEqual(await stored('gpt-4o-mini-tts'));
    },
  );

  test('what it left out is a warning', async () => {
    const app = createTestApp();
    const { structuredContent } = await app.call('synthesize_speech', { input: 'One two three [misread] four', model: MODEL });
    expect(structuredContent.warning).toMatch(/^1 of 5 words .*"One two three \[misread\]"/);
    expect(structuredContent.url).toBeTruthy();
  });

  test.each([
    ['2025-04-01-preview', '/openai/deployments/team-gpt-audio/chat/completions'],
    ['v1', '/openai/v1/chat/completions'],
  ])('on Azure, as a deployment whose name says so (%s)', async (AZURE_OPENAI_API_VERSION, path) => {
    const azure = { AZURE_OPENAI_ENDPOINT: inject('openaiUrl'), AZURE_OPENAI_API_KEY: newAccount(), AZURE_OPENAI_API_VERSION };
    const app = createTestApp(testEnvironment({ ...azure, AZURE_OPENAI_AUDIO_DEPLOYMENT: 'team-gpt-audio' }));
    expect((await app.call('synthesize_speech', SPEECH)).structuredContent).toMatchObject({ format: 'mp3' });
    expect((await app.requests())[0]?.path).toBe(path);
  });

  const message = (audio: unknown) => ({ status: 200, body: JSON.stringify({ choices: [{ message: { audio } }] }) });
  test.each<[string, object]>([
    ['no audio', message(null)],
    ['broken base64', message({ data: '%%%', transcript: 'x' })],
    ['what is no audio', message({ data: btoa('<html>hello</html>'), transcript: 'x' })],
    ['cut off', { cut: true }],
  ])('an answer with %s may be billed, and says so', async (_, fault) => {
    const app = createTestApp();
    await app.fail({ headers: { 'content-type': 'application/json' }, ...fault });
    const { isError, content } = await app.call('synthesize_speech', { ...SPEECH, model: MODEL });
    expect(isError).toBe(true);
    expect(content[0]?.text).toMatch(/bill/);
  });

  test('takes over from the default on the day on which that retires at OpenAI, and only there', async () => {
    const modelAt = async (date: string, env = {}) => {
      const runtime = testRuntime({ now: () => Date.parse(date) });
      const app = createTestApp(testEnvironment({ OPENAI_BASE_URL: 'https://api.openai.com/v1', ...env }), {
        ...runtime,
        fetch: async () => Response.json({ data: [] }),
      });
      const { models } = (await app.call('list_supported_models', {})).structuredContent;
      return models.find(({ capability }: { capability: string }) => capability === 'audio').model;
    };
    expect(await modelAt('2027-01-05T23:59:59Z')).toBe('gpt-4o-mini-tts');
    expect(await modelAt('2027-01-06T00:00:00Z')).toBe(MODEL);
    expect(await modelAt('2027-02-01', { OPENAI_AUDIO_BASE_URL: 'https://speech.example.com/v1' })).toBe('gpt-4o-mini-tts');
  });
});
