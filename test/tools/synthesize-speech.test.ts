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
    [{ input: 'x'.repeat(4097) }, /input: .*4097.*1 to 4096/],
    [{ input: '🎉'.repeat(4097) }, /input: .*4097/],
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
