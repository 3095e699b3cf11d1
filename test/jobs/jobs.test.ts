import { describe, expect, inject, test } from 'vitest';
import {
  createTestApp,
  ENVELOPE,
  type Environment,
  eventually,
  isUpload,
  MODERN,
  startCall,
  type ToolResult,
  testEnvironment,
  testRuntime,
} from '../support.ts';

/** As on Node, and in a Durable Object. */
function createJobApp(overrides: Environment = {}) {
  return createTestApp(testEnvironment(overrides), testRuntime({ outlivesClients: true }));
}

type App = ReturnType<typeof createJobApp>;

const creations = async (app: App) => (await app.requests()).filter(({ method, path }) => method === 'POST' && !path.includes('_control'));
const urlOf = (result: ToolResult): string => result.structuredContent.images[0].url;

/** A call whose client can leave. */
const start = (app: App, name: string, args: object, id: string | number = 1) =>
  startCall((request) => app.app.request(request), name, args, { id });

const held = async (app: App) => eventually(async () => (await creations(app)).length > 0);

describe.each([
  ['generate_image', { prompt: 'a lighthouse' }, '/images'],
  ['synthesize_speech', { input: 'Welcome aboard.' }, '/audio'],
] as const)('%s', (tool, args, path) => {
  test('not finished within wait_seconds: in_progress, and job_id alone waits on for free', async () => {
    const app = createJobApp();
    await app.fail({ at: path, hold: 'all' });
    const first = await app.call(tool, { ...args, wait_seconds: 0 });
    expect(first.structuredContent).toMatchObject({
      status: 'in_progress',
      job_id: expect.stringMatching(/^job-/),
      next_step: expect.stringContaining(tool),
    });
    expect(first.content[0]?.text).toContain(first.structuredContent.job_id);
    await app.release();
    const second = await app.call(tool, { job_id: first.structuredContent.job_id, wait_seconds: 600 });
    expect(second.isError).toBeUndefined();
    expect(JSON.stringify(second.structuredContent)).toContain('"url"');
    expect(await creations(app)).toHaveLength(1);
  });

  test('a client that leaves: the work is finished, and an identical call collects it', async () => {
    const app = createJobApp();
    await app.fail({ at: path, hold: 'all' });
    const first = start(app, tool, args);
    await held(app);
    first.leave();
    await app.release();
    const second = await app.call(tool, args);
    expect(second.structuredContent).toMatchObject({ collected: true, started_at: expect.any(String) });
    const third = await app.call(tool, args);
    expect(third.structuredContent.collected).toBeUndefined();
    expect(await creations(app)).toHaveLength(2);
  });

  test('an identical call joins a job that its client left', async () => {
    const app = createJobApp();
    await app.fail({ at: path, hold: 'all' });
    const first = start(app, tool, args);
    await held(app);
    first.leave();
    const second = start(app, tool, args, 2);
    await app.release();
    expect((await second.result).structuredContent).toMatchObject({ collected: true });
    expect(await creations(app)).toHaveLength(1);
  });

  test('two identical calls whose clients both wait are two calls', async () => {
    const app = createJobApp();
    await app.fail({ at: path, hold: 'all' }, { at: path, hold: 'all' });
    const calls = [start(app, tool, args, 1), start(app, tool, args, 2)];
    await eventually(async () => (await creations(app)).length === 2);
    await app.release();
    const results = await Promise.all(calls.map(({ result }) => result));
    expect(results.map(({ structuredContent }) => structuredContent.collected)).toEqual([undefined, undefined]);
  });

  test('a cancellation of an id that several calls have ends none of them, and their results can be collected', async () => {
    const app = createJobApp();
    await app.fail({ at: path, hold: 'all' }, { at: path, hold: 'all' });
    const other = 'prompt' in args ? { prompt: 'a pier' } : { input: 'Good night.' };
    const calls = [start(app, tool, args, 7), start(app, tool, other, 7)];
    await eventually(async () => (await creations(app)).length === 2);
    await app.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } });
    const joined = app.call(tool, args);
    await app.release();
    for (const { result } of calls) expect(JSON.stringify((await result).structuredContent)).toContain('"url"');
    expect((await joined).structuredContent.collected).toBe(true);
    expect((await app.call(tool, other)).structuredContent.collected).toBe(true);
    expect(await creations(app)).toHaveLength(2);
  });

  test('a time-out of the 2025-era SDK cancels in another request, and keeps its POST open', async () => {
    const app = createJobApp();
    await app.fail({ at: path, hold: 'all' });
    start(app, tool, args, 7);
    await held(app);
    await app.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } });
    const second = start(app, tool, args, 8);
    await app.release();
    expect((await second.result).structuredContent).toMatchObject({ collected: true });
    expect(await creations(app)).toHaveLength(1);
  });
});

describe('idempotency_key', () => {
  const args = { prompt: 'a harbour', idempotency_key: 'order 66' };

  test('charges once and answers always, also after a restart', async () => {
    const env = testEnvironment();
    const createApp = () => createTestApp(env, testRuntime({ outlivesClients: true }));
    const app = createApp();
    const first = await app.call('generate_image', args);
    for (const later of [app, createApp()]) {
      const again = await later.call('generate_image', args);
      expect(urlOf(again)).toBe(urlOf(first));
      expect(again.structuredContent).toMatchObject({ collected: true });
    }
    expect(await creations(app)).toHaveLength(1);
  });

  test('other arguments are an error', async () => {
    const app = createJobApp();
    await app.call('generate_image', args);
    const second = await app.call('generate_image', { ...args, prompt: 'another' });
    expect(second.content[0]?.text).toMatch(/^idempotency_key.*key_reused/i);
    const other = await app.call('chat_completion', { prompt: 'a harbour', idempotency_key: 'order 66' });
    expect(other.content[0]?.text).toContain('key_reused');
    expect(await creations(app)).toHaveLength(1);
  });

  test('a failure before anything is billed frees it', async () => {
    const app = createJobApp();
    await app.fail({ at: '/images', status: 400 });
    expect((await app.call('generate_image', args)).isError).toBe(true);
    expect((await app.call('generate_image', args)).isError).toBeUndefined();
  });

  test('a failure that may be billed does not', async () => {
    const app = createJobApp();
    await app.fail({ at: '/images', status: 500 });
    expect((await app.call('generate_image', args)).isError).toBe(true);
    expect((await app.call('generate_image', args)).content[0]?.text).toContain('job_failed');
    expect(await creations(app)).toHaveLength(1);
  });

  test('chat with a key is charged once', async () => {
    const app = createJobApp();
    const chat = { prompt: 'Hello', idempotency_key: 'c1' };
    const first = await app.call('chat_completion', chat);
    const second = await app.call('chat_completion', chat);
    expect(second.structuredContent.text).toBe(first.structuredContent.text);
    expect(await creations(app)).toHaveLength(1);
  });

  test('needs storage', async () => {
    const app = createTestApp({ ...testEnvironment(), AZURE_STORAGE_CONNECTION_STRING: '' });
    expect((await app.call('chat_completion', { prompt: 'a', idempotency_key: 'k' })).content[0]?.text).toMatch(
      /idempotency_key: needs storage/,
    );
  });
});

describe('chat', () => {
  test('that outlives its wait becomes a job', async () => {
    const app = createJobApp();
    await app.fail({ at: '/chat', hold: 'all' });
    const first = await app.call('chat_completion', { prompt: 'Think.', wait_seconds: 1 });
    expect(first.structuredContent).toMatchObject({ status: 'in_progress' });
    await app.release();
    const second = await app.call('chat_completion', { job_id: first.structuredContent.job_id, wait_seconds: 600 });
    expect(second.structuredContent).toMatchObject({ text: expect.any(String), collected: true });
    expect(await creations(app)).toHaveLength(1);
  });

  test('without a key stops when its client leaves', async () => {
    const app = createJobApp();
    await app.fail({ at: '/chat', hold: 'all' });
    const first = start(app, 'chat_completion', { prompt: 'Think.' });
    await held(app);
    first.leave();
    await eventually(async () => (await creations(app))[0]?.brokenOffAtMs !== undefined);
  });
});

test('an image that could not be stored is held: an identical call stores it, and nobody pays again', async () => {
  let isBroken = true;
  const runtime = testRuntime({ outlivesClients: true });
  const fetch: typeof runtime.fetch = async (input, init) =>
    isBroken && isUpload(init) ? new Response(null, { status: 503 }) : runtime.fetch(input, init);
  const app = createTestApp(testEnvironment(), { ...runtime, fetch });
  const args = { prompt: 'a pier', n: 2, size: '64x64' };
  let first = await app.call('generate_image', args);
  while (first.structuredContent?.status === 'in_progress')
    first = await app.call('generate_image', { job_id: first.structuredContent.job_id });
  expect(first.content[0]?.text).toMatch(/repeat the call.*not billed again.*media_lost/);
  isBroken = false;
  const second = await app.call('generate_image', args);
  expect(second.structuredContent).toMatchObject({ collected: true, images: [{ width: 64 }, { width: 64 }] });
  expect((await globalThis.fetch(urlOf(second))).status).toBe(200);
  expect(await creations(app)).toHaveLength(1);
  expect((await app.call('generate_image', args)).structuredContent.collected).toBeUndefined();
  expect(await creations(app)).toHaveLength(2);
});

test('a job of another tool, or an unknown one, says so', async () => {
  const app = createJobApp();
  await app.fail({ at: '/images', hold: 'all' });
  const { structuredContent } = await app.call('generate_image', { prompt: 'a', wait_seconds: 0 });
  expect((await app.call('synthesize_speech', { job_id: structuredContent.job_id })).content[0]?.text).toContain('job_unknown');
  expect((await app.call('generate_image', { job_id: 'job-1' })).content[0]?.text).toContain('job_unknown');
  expect((await app.call('generate_image', { job_id: structuredContent.job_id, prompt: 'a' })).content[0]?.text).toMatch(
    /prompt: .*job_id/,
  );
  await app.release();
});

test('a video job: job_id and video_id both wait on, and the job is stored without a client', async () => {
  const app = createJobApp();
  await app.setVideos({ speed: 100 });
  const first = await app.call('generate_video', { prompt: 'waves', wait_seconds: 0 });
  const { job_id } = first.structuredContent;
  const done = await app.call('generate_video', { job_id, wait_seconds: 600 });
  expect(done.structuredContent).toMatchObject({ status: 'completed', collected: true, video: { url: expect.any(String) } });
  const { video_id } = done.structuredContent;
  expect((await app.call('generate_video', { video_id })).structuredContent).toMatchObject({ status: 'completed' });
  expect((await creations(app)).filter(({ path }) => path.endsWith('/videos'))).toHaveLength(1);
});

test('the 2026 era: closing the stream leaves the result collectable', async () => {
  const app = createJobApp();
  const headers = { 'mcp-protocol-version': MODERN, 'mcp-method': 'tools/call', 'mcp-name': 'generate_image' };
  const call = () => startCall((request) => app.app.request(request), 'generate_image', { prompt: 'x' }, { headers, meta: ENVELOPE });
  await app.fail({ at: '/images', hold: 'all' });
  const first = call();
  await held(app);
  first.leave();
  const second = call();
  await app.release();
  expect((await second.result).structuredContent).toMatchObject({ collected: true, images: [expect.anything()] });
  expect(await creations(app)).toHaveLength(1);
});

test('only an answer on which a job depends is kept open to see whether it arrives', async () => {
  const lastByteMs = 1e10;
  const app = createTestApp(testEnvironment(), testRuntime({ outlivesClients: true, lastByteMs }));
  expect((await app.call('chat_completion', { prompt: 'Hello' })).structuredContent.text).toContain('Hello');
  const image = startCall((request) => app.app.request(request), 'generate_image', { prompt: 'x' });
  const isOpen = image.result.then(() => false);
  await image.response;
  await eventually(() => app.logged.some((line) => line.includes('"event":"job"')));
  expect(await Promise.race([isOpen, Promise.resolve(true)])).toBe(true);
});

test('beyond MCP_MAX_JOBS a call is refused before anything is sent', async () => {
  const app = createJobApp({ MCP_MAX_JOBS: '1' });
  await app.fail({ at: '/images', hold: 'all' });
  const first = await app.call('generate_image', { prompt: 'one', wait_seconds: 0 });
  const second = await app.call('generate_image', { prompt: 'two', wait_seconds: 0 });
  expect(second.content[0]?.text).toMatch(/Nothing was sent or billed; retry in \d+ s.*\(busy/);
  await app.release();
  await app.call('generate_image', { job_id: first.structuredContent.job_id });
  expect((await app.call('generate_image', { prompt: 'two' })).isError).toBeUndefined();
  expect(await creations(app)).toHaveLength(2);
});

test('with MCP_JOB_RETENTION_HOURS=0 no result is kept beyond its delivery', async () => {
  const app = createJobApp({ MCP_JOB_RETENTION_HOURS: '0' });
  const args = { prompt: 'Hello', idempotency_key: 'k' };
  expect((await app.call('chat_completion', args)).structuredContent.text).toContain('Hello');
  const again = await eventually(async () => {
    const result = await app.call('chat_completion', args);
    return result.isError ? result : undefined;
  });
  expect(again?.content[0]?.text).toContain('job_result_gone');
  expect(await creations(app)).toHaveLength(1);
});

test('a stored result has links that are signed when it is read', async () => {
  const { containerUrl, container, privateContainer } = inject('storage');
  const env = {
    AZURE_BLOB_CONTAINER: privateContainer,
    AZURE_BLOB_PUBLIC_BASE_URL: containerUrl.replace(new RegExp(`${container}$`), privateContainer),
    AZURE_BLOB_READ_SAS_HOURS: '1',
  };
  const app = createJobApp(env);
  const args = { prompt: 'a quay', size: '64x64', idempotency_key: 'k' };
  const first = await app.call('generate_image', args);
  // Expiry is in whole seconds.
  const second = await eventually(async () => {
    const result = await app.call('generate_image', args);
    return result.structuredContent.images[0].expires_at === first.structuredContent.images[0].expires_at ? undefined : result;
  });
  if (!second) throw new Error('no result');
  expect(new URL(urlOf(second)).pathname).toBe(new URL(urlOf(first)).pathname);
  expect((await fetch(urlOf(second))).status).toBe(200);
});

test('waiting for a sign of life of a lost process is a part of wait_seconds', async () => {
  const env = testEnvironment();
  const runtime = testRuntime({ outlivesClients: true });
  let isLost = false;
  const lost = createTestApp(env, { ...runtime, sleep: (...of) => (isLost ? new Promise(() => {}) : runtime.sleep(...of)) });
  await lost.fail({ at: '/images', hold: 'all' }, { at: '/images', hold: 'all' });
  start(lost, 'generate_image', { prompt: 'a lighthouse' });
  await held(lost);
  isLost = true;
  const slept: number[] = [];
  const other = testRuntime({ outlivesClients: true });
  const sleep: typeof other.sleep = (ms, signal) => {
    slept.push(ms);
    return other.sleep(ms, signal);
  };
  const app = createTestApp(env, { ...other, sleep });
  const result = await app.call('generate_image', { prompt: 'a lighthouse', wait_seconds: 17 });
  expect(result.structuredContent).toMatchObject({ status: 'in_progress' });
  expect(slept).not.toContain(17_000);
  await app.release();
});
