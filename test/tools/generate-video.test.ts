import { parseBuffer } from 'music-metadata';
import { describe, expect, inject, test } from 'vitest';
import { inspectImage } from '../../src/media/formats.ts';
import {
  CLIENT_KEY,
  CLOCK_SPEED,
  createSleepClock,
  createTestApp,
  eventually,
  isUpload,
  newAccount,
  testEnvironment,
  testRuntime,
} from '../support.ts';

/** Jobs take this long by a clock that goes at least as fast as that of the tests, which only waiting moves: they end within the wait. */
const JOB = { jobSeconds: 30, speed: CLOCK_SPEED };

async function setUp({ env = testEnvironment(), settings = {}, runtime = testRuntime(createSleepClock(CLOCK_SPEED)) } = {}) {
  const app = createTestApp(env, runtime);
  await app.setVideos({ ...JOB, ...settings });
  return {
    ...app,
    // Long enough on a busy machine; the default is for the tests that are about it.
    generate: (args: object) => app.call('generate_video', { wait_seconds: 600, ...args }),
    /** How often each kind of request was made. */
    async count(): Promise<Record<'created' | 'polled' | 'downloaded' | 'thumbnails' | 'spritesheets', number>> {
      const requests = (await app.requests()).filter(({ path }) => path.startsWith('/v1/videos'));
      const variant = (name: string) => requests.filter(({ query }) => query === `?variant=${name}`).length;
      return {
        created: requests.filter(({ method }) => method === 'POST').length,
        polled: requests.filter(({ method, path }) => method === 'GET' && !path.endsWith('/content')).length,
        downloaded: variant('video'),
        thumbnails: variant('thumbnail'),
        spritesheets: variant('spritesheet'),
      };
    },
  };
}

async function read(url: string): Promise<{ type: string | null; bytes: Uint8Array<ArrayBuffer> }> {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  return { type: response.headers.get('content-type'), bytes: new Uint8Array(await response.arrayBuffer()) };
}

const today = () => new Date().toISOString().slice(0, 10).replaceAll('-', '/');

describe('a video that is ready within the wait', () => {
  test('is stored under the id of its job, plays, and comes with a thumbnail', async () => {
    const { generate } = await setUp();
    const { structuredContent: result, content } = await generate({ prompt: 'a lamp', seconds: 8, size: '1280x720' });
    expect(result).toEqual({
      status: 'completed',
      video_id: expect.stringMatching(/^video_\w+$/),
      video: {
        url: `${inject('storage').containerUrl}/videos/${today()}/${result.video_id}.mp4`,
        content_type: 'video/mp4',
        bytes: expect.any(Number),
      },
      thumbnail: {
        url: `${inject('storage').containerUrl}/videos/${today()}/${result.video_id}-thumbnail.webp`,
        content_type: 'image/webp',
        bytes: expect.any(Number),
      },
      seconds: '8',
      size: '1280x720',
      model: 'sora-2',
      cost_note: expect.stringContaining('MODEL_PRICES'),
    });
    const { type, bytes } = await read(result.video.url);
    expect(type).toBe('video/mp4');
    expect(bytes.byteLength).toBe(result.video.bytes);
    expect((await parseBuffer(bytes)).format).toMatchObject({ hasVideo: true, container: expect.stringContaining('isom') });
    expect(inspectImage((await read(result.thumbnail.url)).bytes)).toMatchObject({ width: 320, height: 180 });
    expect(content.map(({ type }) => type)).toEqual(['text']);
    expect(content[0]?.text).toContain(result.video.url);
  });

  test('with the spritesheet, when it is asked for', async () => {
    const { generate } = await setUp();
    const { structuredContent } = await generate({ prompt: 'a lamp', include_spritesheet: true });
    expect(structuredContent.spritesheet).toMatchObject({ content_type: 'image/jpeg', url: expect.stringMatching(/-spritesheet\.jpg$/) });
  });

  test('what is sent is what was asked for', async () => {
    const { generate, requests } = await setUp();
    await generate({ prompt: 'a lamp', wait_seconds: 0 });
    await generate({ prompt: 'a lamp', seconds: '12', size: '720x1280', model: 'sora-2', wait_seconds: 0 });
    const created = (await requests()).filter(({ method }) => method === 'POST');
    expect(created.map(({ body }) => body)).toEqual([
      { prompt: 'a lamp', model: 'sora-2' },
      { prompt: 'a lamp', model: 'sora-2', seconds: '12', size: '720x1280' },
    ]);
    expect(created[0]?.headers['content-type']).toContain('multipart/form-data');
  });

  test.each([
    ['of unknown length', { contentLength: false }],
    ['larger than one PUT may be', { contentBytes: 70 * 1024 * 1024 }],
  ])('%s', async (_, settings) => {
    // By the true clock: large bodies take seconds, and the signatures of a fast clock would be from the future.
    const { generate } = await setUp({ settings, runtime: testRuntime({ now: () => Date.now() }) });
    const { structuredContent } = await generate({ prompt: 'a lamp' });
    const { bytes } = await read(structuredContent.video.url);
    expect(bytes.byteLength).toBe(structuredContent.video.bytes);
    expect((await parseBuffer(bytes)).format).toMatchObject({ hasVideo: true });
  });

  test.each([['thumbnail'], ['spritesheet']])('a missing %s does not cost the video', async (variant) => {
    const { generate } = await setUp({ settings: { without: [variant] } });
    const { structuredContent } = await generate({ prompt: 'a lamp', include_spritesheet: true });
    expect(structuredContent.status).toBe('completed');
    expect(structuredContent).not.toHaveProperty(variant);
  });

  test.each([
    ['an error', { status: 500 }],
    ['no image', { status: 200, body: '<html>' }],
    ['a body that breaks off', { cut: true }],
  ])('nor does a thumbnail that is %s', async (_, fault) => {
    const { generate, fail } = await setUp();
    await fail({ at: 'variant=thumbnail', ...fault });
    const { structuredContent } = await generate({ prompt: 'a lamp' });
    expect(structuredContent).toMatchObject({ status: 'completed', video: { content_type: 'video/mp4' } });
    expect(structuredContent).not.toHaveProperty('thumbnail');
  });
});

describe('a video that is not ready within the wait', () => {
  test('is reported with its id, progress and next step; its job_id alone gets it later', async () => {
    const { generate, count } = await setUp({ settings: { jobSeconds: 200 } });
    const { structuredContent: first, content } = await generate({ prompt: 'a lamp', wait_seconds: 15 });
    expect(first).toEqual({
      status: 'in_progress',
      job_id: expect.stringMatching(/^job-/),
      video_id: expect.stringMatching(/^video_/),
      progress: expect.any(Number),
      next_step: expect.stringMatching(new RegExp(`generate_video.*"${first.job_id}".* 20 s`)),
    });
    expect(first.progress).toBeGreaterThan(0);
    expect(content).toEqual([{ type: 'text', text: first.next_step }]);
    const { structuredContent: second } = await generate({ job_id: first.job_id, wait_seconds: 600 });
    expect(second).toMatchObject({ status: 'completed', video_id: first.video_id, video: { content_type: 'video/mp4' } });
    expect(await count()).toMatchObject({ created: 1, downloaded: 1, thumbnails: 1 });
  });

  test('with wait_seconds 0 nothing is waited for', async () => {
    const { generate, count } = await setUp();
    const { structuredContent } = await generate({ prompt: 'a lamp', wait_seconds: 0 });
    expect(structuredContent.status).toBe('in_progress');
    expect(structuredContent.video_id).toMatch(/^video_/);
    expect((await generate({ video_id: structuredContent.video_id, wait_seconds: 0 })).structuredContent.status).toBe('in_progress');
    expect(await count()).toMatchObject({ created: 1 });
  });

  test('the wait ends in time, and a long one polls no more than Workers allow', async () => {
    // Nothing but the wait sleeps.
    const runtime = testRuntime({ ...createSleepClock(), heartbeatMs: 1e9 });
    const { generate, count } = await setUp({ settings: { jobSeconds: 10_000 }, runtime });
    const startMs = runtime.now();
    await generate({ prompt: 'a lamp', wait_seconds: 600 });
    expect((runtime.now() - startMs) / 1000).toBeLessThan(700);
    expect((await count()).polled).toBeLessThan(28);
  });

  test('another instance gets it from the id alone', async () => {
    const env = testEnvironment();
    const { structuredContent } = await (await setUp({ env })).generate({ prompt: 'a lamp', wait_seconds: 0 });
    const { structuredContent: later } = await createTestApp(env).call('generate_video', { video_id: structuredContent.video_id });
    expect(later.status).toBe('completed');
  });
});

test('a thumbnail that cannot be stored is given up soon: it can be downloaded again', async () => {
  const runtime = testRuntime(createSleepClock(CLOCK_SPEED));
  let refused = 0;
  const fetch: typeof globalThis.fetch = async (input, init) => {
    if (init?.method !== 'PUT' || !String(input).includes('-thumbnail.')) return runtime.fetch(input, init);
    refused++;
    return new Response(null, { status: 503 });
  };
  const { generate } = await setUp({ runtime: { ...runtime, fetch } });
  const { structuredContent } = await generate({ prompt: 'a lamp' });
  expect(structuredContent.status).toBe('completed');
  expect(structuredContent).not.toHaveProperty('thumbnail');
  expect(refused).toBe(4);
});

describe('a video that is stored already', () => {
  test('is not downloaded again', async () => {
    const { generate, count } = await setUp();
    const { structuredContent: first } = await generate({ prompt: 'a lamp', include_spritesheet: true });
    const { structuredContent: second } = await generate({ video_id: first.video_id, include_spritesheet: true });
    expect({ ...second, cost_note: first.cost_note }).toEqual(first);
    expect(await count()).toMatchObject({ created: 1, downloaded: 1, thumbnails: 1, spritesheets: 1 });
  });

  test('calls at the same moment all get it, and there is one copy', async () => {
    const { generate } = await setUp({ settings: { contentLength: false, contentBytes: 3 * 1024 * 1024 } });
    const { structuredContent } = await generate({ prompt: 'a lamp', wait_seconds: 0 });
    const results = await Promise.all([1, 2, 3].map(() => generate({ video_id: structuredContent.video_id })));
    expect(new Set(results.map((result) => JSON.stringify(result.structuredContent.video))).size).toBe(1);
    expect((await read(results[0]?.structuredContent.video.url)).bytes.byteLength).toBe(3 * 1024 * 1024);
  });

  test('is found when the upstream has forgotten it', async () => {
    const env = testEnvironment();
    const { generate } = await setUp({ env });
    const { structuredContent } = await generate({ prompt: 'a lamp' });
    await fetch(`${inject('openaiUrl')}/_control/${env.OPENAI_API_KEY}/videos/${structuredContent.video_id}`, { method: 'DELETE' });
    expect((await generate({ video_id: structuredContent.video_id })).structuredContent).toEqual({
      status: 'completed',
      video_id: structuredContent.video_id,
      video: structuredContent.video,
      thumbnail: structuredContent.thumbnail,
    });
  });
});

describe('a job that fails', () => {
  test("is an error with the upstream's code and sentence, made safe", async () => {
    const error = { code: 'moderation_blocked', message: 'Blocked. Key sk-abcdefgh12345678 was used.' };
    const { generate } = await setUp({ settings: { error } });
    const result = await generate({ prompt: 'a lamp' });
    expect(result.isError).toBe(true);
    expect(result.content[0]?.text).toMatch(/video_\w+ \(moderation_blocked\): Blocked\. Key \[key\] was used\. .*\(video_failed, /);
  });

  test('at its creation is an ordinary error', async () => {
    const { generate } = await setUp();
    expect((await generate({ prompt: '[refuse]' })).content[0]?.text).toMatch(/\(content_refused, request /);
  });
});

describe('nothing is billed twice', () => {
  test.each([500, 502, 503, 429, 408])('creation is sent once, whatever the status: %i', async (status) => {
    const { generate, fail, count } = await setUp();
    await fail({ at: 'POST', status }, { at: 'POST', status });
    expect(await generate({ prompt: 'a lamp' })).toMatchObject({ isError: true });
    expect(await count()).toMatchObject({ created: 1, polled: 0 });
  });

  test('a creation whose response is lost is reported as possibly billed', async () => {
    const { generate, fail, count } = await setUp();
    await fail({ at: 'POST', cut: true });
    expect((await generate({ prompt: 'a lamp' })).content[0]?.text).toMatch(/billed|charged/);
    expect(await count()).toMatchObject({ created: 1 });
  });

  test('polls that fail for a while do not end the wait', async () => {
    const { generate, fail } = await setUp();
    await fail(
      { at: 'GET', status: 404 },
      { at: 'GET', status: 500 },
      { at: 'GET', status: 429 },
      { at: 'GET', cut: true },
      { at: 'GET', status: 200, body: '<html>' },
    );
    expect((await generate({ prompt: 'a lamp', wait_seconds: 600 })).structuredContent.status).toBe('completed');
  });

  test('a poll that fails for good is an error, which has the id', async () => {
    const { generate, fail } = await setUp();
    await fail({ at: 'GET', status: 401 });
    const { content } = await generate({ prompt: 'a lamp' });
    expect(content[0]?.text).toMatch(
      /returned 401.*call generate_video with video_id "video_\w+".*not billed again.*\(video_interrupted, /,
    );
  });

  test.each([
    ['an error', { status: 500 }],
    ['a body that breaks off', { cut: true }],
  ])('a download that ends in %s is tried once more', async (_, fault) => {
    const { generate, fail, count } = await setUp();
    await fail({ at: 'variant=video', ...fault });
    expect((await generate({ prompt: 'a lamp' })).structuredContent.status).toBe('completed');
    expect(await count()).toMatchObject({ created: 1, downloaded: 2 });
  });

  test('a download that keeps failing is an error with the id, leaves no blob, and can be gone on with', async () => {
    const { generate, fail, count } = await setUp({ settings: { contentLength: false } });
    await fail({ at: 'variant=video', cut: true }, { at: 'variant=video', cut: true });
    const { content } = await generate({ prompt: 'a lamp' });
    expect(content[0]?.text).toMatch(/generate_video.*video_id.*\(video_interrupted, /);
    const video_id = /video_id "(\w+)"/.exec(content[0]?.text ?? '')?.[1] ?? '';
    const blob = await fetch(`${inject('storage').containerUrl}/videos/${today()}/${video_id}.mp4`);
    await blob.body?.cancel();
    expect(blob.status).toBe(404);
    expect((await generate({ video_id })).structuredContent.status).toBe('completed');
    expect(await count()).toMatchObject({ created: 1, downloaded: 3 });
  });

  test('something that is no MP4 is an error with the id, and leaves no blob', async () => {
    const { generate, fail } = await setUp();
    await fail({ at: 'variant=video', status: 200, body: '{"error":"x"}' }, { at: 'variant=video', status: 200, body: '<html>' });
    expect((await generate({ prompt: 'a lamp' })).content[0]?.text).toMatch(/MP4.*"video_.*\(video_interrupted, /);
  });

  test('a storage that refuses is an error with the id', async () => {
    const runtime = testRuntime();
    const { fetch } = runtime;
    const refusing = {
      ...runtime,
      fetch: ((input, init) =>
        isUpload(init) ? Promise.resolve(new Response(null, { status: 403 })) : fetch(input, init)) as typeof fetch,
    };
    const { generate } = await setUp({ runtime: refusing });
    expect((await generate({ prompt: 'a lamp' })).content[0]?.text).toMatch(
      /AZURE_STORAGE_CONNECTION_STRING.*"video_.*\(video_interrupted, /,
    );
  });
});

test('a client that goes away while the job is created: it is stored, and the log has its id', async () => {
  const { app, fail, logged, count, release, requests } = await setUp();
  await fail({ at: 'POST', hold: 'all' });
  const client = new AbortController();
  const params = { name: 'generate_video', arguments: { prompt: 'a lamp' } };
  const headers = { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  const answered = Promise.resolve(app.request('/mcp', { method: 'POST', headers, body, signal: client.signal })).catch(() => {});
  await eventually(async () => (await requests()).length > 0);
  client.abort();
  await release();
  await eventually(() => logged.some((line) => line.includes('video_started')));
  await answered;
  await eventually(() => logged.some((line) => line.includes('"event":"job"') && line.includes('"state":"completed"')));
  expect(logged.join()).toMatch(/"event":"video_started".*"video_id":"video_\w+"/);
  expect(await count()).toMatchObject({ created: 1, downloaded: 1 });
});

describe('invalid input is reported by name, and nothing is sent', () => {
  test.each([
    [{}, /prompt: .*video_id/],
    [{ prompt: 'a', video_id: 'video_1' }, /prompt: .*video_id/],
    [{ prompt: '' }, /prompt: .*video_id/],
    [{ prompt: 'a', seconds: 0 }, /seconds: .*1 to 120/],
    [{ prompt: 'a', seconds: 'long' }, /seconds: .*1 to 120/],
    [{ prompt: 'a', size: '720p' }, /size: .*WIDTHxHEIGHT/],
    [{ prompt: 'a', wait_seconds: -1 }, /wait_seconds: must be at least 0/],
    [{ prompt: 'a', wait_seconds: 601 }, /wait_seconds: must be at most 600/],
    [{ prompt: 'a', duration: 5 }, /duration: .*: prompt, video_id,/],
    [{ video_id: '../../container/blob' }, /video_id: /],
    [{ video_id: 'a/b' }, /video_id: /],
    [{ video_id: 'video_1?x' }, /video_id: /],
    [{ video_id: '..' }, /video_id: /],
    [{ video_id: 'x'.repeat(513) }, /video_id: /],
    [{ video_id: 'a..b' }, /video_id: /],
    [{ video_id: 'video_1', seconds: 8, model: 'm' }, /model: .*seconds: /],
    [
      { prompt: 'a', input_reference_url: 'https://images.example.com/x.png' },
      /input_reference_url: is on a host .*MCP_ALLOWED_INPUT_HOSTS/,
    ],
  ])('%j', async (args, expected) => {
    const { generate, requests } = await setUp();
    const result = await generate(args);
    expect(result.isError).toBe(true);
    expect(result.content[0]?.text).toMatch(expected);
    expect(await requests()).toEqual([]);
  });

  test('nor without storage', async () => {
    const { generate, requests } = await setUp({ env: testEnvironment({ AZURE_STORAGE_CONNECTION_STRING: '' }) });
    expect((await generate({ prompt: 'a' })).content[0]?.text).toContain('AZURE_STORAGE_CONNECTION_STRING');
    expect(await requests()).toEqual([]);
  });
});

describe('jobs of servers that differ', () => {
  /** Answers creation with this job, and asks for it once. */
  async function generateAs(job: object) {
    const { generate, fail, logged } = await setUp();
    const answer = { status: 200, body: JSON.stringify(job), headers: { 'content-type': 'application/json' } };
    await fail({ at: 'POST', ...answer }, { at: 'GET', ...answer });
    const result = await generate({ prompt: 'a', wait_seconds: 1 });
    return { ...result, text: result.content[0]?.text ?? '', logged };
  }

  test('a job that has only an id is not lost', async () => {
    const { structuredContent, logged } = await generateAs({ id: 'video_bare' });
    expect(structuredContent).toMatchObject({ status: 'in_progress', video_id: 'video_bare' });
    expect(logged.join()).toContain('"event":"video_started"');
    expect(logged.join()).toContain('video_bare');
  });

  test.each(['gen-7f.3_A', `video_${'QUJD'.repeat(60)}==`])('the id %s is taken', async (id) => {
    expect((await generateAs({ id, status: 'queued' })).structuredContent.video_id).toBe(id);
  });

  test('an unusable id is reported anyway: the job was billed', async () => {
    expect((await generateAs({ id: 'gen:a/b', status: 'queued' })).text).toContain('gen:a/b');
  });

  test.each(['error', 'rejected', 'Failed', 'weird'])('a job of status %s that has an error has failed', async (status) => {
    const { text } = await generateAs({ id: 'video_x', status, error: { code: 'broken', message: 'It broke.' } });
    expect(text).toMatch(/video_x.*\(broken\).*It broke.*\(video_failed, /);
  });

  test.each(['processing', 'IN_PROGRESS', 'rendering'])('a job of status %s goes on', async (status) => {
    expect((await generateAs({ id: 'video_x', status, progress: '45%' })).structuredContent).toMatchObject({
      status: 'in_progress',
      progress: 45,
    });
  });

  test.each([
    ['seconds with a fraction', 1_767_323_045.9],
    ['milliseconds', 1_767_323_045_000],
    ['text', '1767323045'],
    ['a date', '2026-01-02T03:04:05Z'],
  ])('created_at in %s is understood', async (_, created_at) => {
    const { generate, fail } = await setUp({ settings: { jobSeconds: 1 } });
    const job = JSON.stringify({ id: 'another', status: 'succeeded', created_at });
    await fail({ at: '/v1/videos/video_', status: 200, body: job, headers: { 'content-type': 'application/json' } });
    const { structuredContent: done } = await generate({ prompt: 'a' });
    const { video_id } = done;
    expect(done.video.url).toContain(`/videos/2026/01/02/${video_id}.mp4`);
  });

  test('what is stored is found while the upstream cannot answer', async () => {
    const { generate, fail } = await setUp();
    const { structuredContent } = await generate({ prompt: 'a lamp' });
    await fail({ at: 'GET', status: 500 });
    expect((await generate({ video_id: structuredContent.video_id })).structuredContent).toMatchObject({
      status: 'completed',
      video: structuredContent.video,
      thumbnail: structuredContent.thumbnail,
    });
  });

  test('the key of a server is never revealed, whatever it returns', async () => {
    const env = testEnvironment();
    const key = env.OPENAI_API_KEY ?? '';
    const { generate, logged } = await setUp({ env, settings: { error: { code: key, message: `bad ${key}` } } });
    const result = await generate({ prompt: 'a' });
    expect(result.isError).toBe(true);
    expect(JSON.stringify(result) + logged.join()).not.toContain(key);
  });
});

describe('where there is no Videos API', () => {
  test.each([404, 410])('%i on /videos is reported, with the variable to set', async (status) => {
    const { generate, fail } = await setUp();
    await fail({ at: 'POST', status });
    expect((await generate({ prompt: 'a' })).content[0]?.text).toMatch(new RegExp(`${status}.*OPENAI_VIDEO_BASE_URL.*\\(no_videos, `));
  });

  test('a model that does not exist is another matter', async () => {
    const { generate } = await setUp();
    expect((await generate({ prompt: 'a', model: 'no-such-model' })).content[0]?.text).toMatch(/404 \(model_not_found\)/);
  });

  test('an unknown id is reported as such', async () => {
    const { generate } = await setUp();
    expect((await generate({ video_id: 'video_unknown' })).content[0]?.text).toMatch(/404.*video_unknown.*\(video_unknown, /);
  });

  test.each([
    ['OpenAI itself', { OPENAI_BASE_URL: '' }, /2026-09-24.*OPENAI_VIDEO_BASE_URL/],
    [
      'Azure',
      { AZURE_OPENAI_ENDPOINT: 'https://r.openai.azure.com', AZURE_OPENAI_API_KEY: 'some-key' },
      /Azure OpenAI.*OPENAI_VIDEO_BASE_URL/,
    ],
  ])('%s is not asked at all', async (_, env, expected) => {
    const runtime = testRuntime({ fetch: () => Promise.reject(new Error('asked')) });
    const result = await createTestApp(testEnvironment(env), runtime).call('generate_video', { prompt: 'a' });
    expect(result.content[0]?.text).toMatch(expected);
  });

  test('another server keeps video alive, with its own key', async () => {
    const key = newAccount();
    const elsewhere = {
      OPENAI_VIDEO_BASE_URL: `${inject('openaiUrl')}/v1`,
      OPENAI_VIDEO_API_KEY: key,
      OPENAI_BASE_URL: '',
      OPENAI_API_KEY: 'unused-key',
    };
    const { structuredContent } = await createTestApp(testEnvironment(elsewhere)).call('generate_video', { prompt: 'a', wait_seconds: 0 });
    expect(structuredContent.status).toBe('in_progress');
    const requests = await createTestApp({ ...testEnvironment(), OPENAI_API_KEY: key }).requests();
    expect(requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });
});

test('the first frame is read from the storage and sent as a file', async () => {
  const { generate, call, requests } = await setUp();
  const { structuredContent } = await call('generate_image', { prompt: 'a lamp', size: '64x64', output_format: 'jpeg' });
  const [image] = structuredContent.images;
  const result = await generate({ prompt: 'a', input_reference_url: image.url, wait_seconds: 0 });
  expect(result.isError).toBeUndefined();
  const created = (await requests()).find(({ method, path }) => method === 'POST' && path.endsWith('/videos'));
  expect(created?.body).toMatchObject({ input_reference: { type: 'image/jpeg', bytes: image.bytes } });
});

test('progress: the id at once, then the percentage, with rising values', async () => {
  const { post } = await setUp();
  const params = { name: 'generate_video', arguments: { prompt: 'a lamp' }, _meta: { progressToken: 'p' } };
  const text = await (await post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })).text();
  const messages = [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data));
  const progress = messages.filter(({ method }) => method === 'notifications/progress').map((message) => message.params);
  const ofVideo = progress.map(({ message }) => message).filter((message) => message.startsWith('video_'));
  expect(ofVideo[0]).toMatch(/^video_\w+: started/);
  expect(ofVideo.slice(1).every((message) => /^video_\w+: \d+%$/.test(message))).toBe(true);
  // A bar can be drawn: a fraction of a total that is the video's percentage, and rises with every message.
  for (const { message, progress: value, total } of progress.filter(({ total }) => total !== undefined)) {
    expect(total).toBe(100);
    const percent = /: (\d+)%$/.exec(message)?.[1];
    if (percent) expect(Math.abs(value - Number(percent))).toBeLessThan(1);
  }
  expect(progress.filter(({ total }) => total === 100).length).toBeGreaterThan(2);
  for (const [index, step] of progress.entries()) expect(step.progress).toBeGreaterThan(progress[index - 1]?.progress ?? 0);
  expect(progress.length).toBeGreaterThan(3);
});
