import { describe, expect, test } from 'vitest';
import { MAX_PREVIEW_BYTES, PREVIEWS_TIMEOUT_MS } from '../../src/limits.ts';
import type { Runtime, ShrinkImage } from '../../src/ports.ts';
import { createTestApp, eventually, startCall, type ToolResult, testEnvironment, testRuntime } from '../support.ts';

const IMAGE = { prompt: 'a lamp', size: '64x64' };
const ALWAYS = { MCP_INLINE_PREVIEW: '1' };

/** Shrinks every image to these bytes. */
const toBytes =
  (length: number): ShrinkImage =>
  async () => ({ bytes: new Uint8Array(length), contentType: 'image/webp' });

function createApp(env = testEnvironment(), shrinkImage: ShrinkImage = toBytes(10), overrides: Partial<Runtime> = {}) {
  return createTestApp(env, testRuntime({ outlivesClients: true, shrinkImage, ...overrides }));
}

const typesOf = ({ content }: ToolResult) => content.map(({ type }) => type);
const textOf = ({ content }: ToolResult) => content.map(({ text }) => text).join('\n');
const creations = async (app: ReturnType<typeof createApp>) => (await app.requests()).filter(({ method }) => method === 'POST');

describe('who asks for previews', () => {
  test('is the call, or else the operator', async () => {
    const [off, on] = [createApp(), createApp(testEnvironment(ALWAYS))];
    expect(typesOf(await off.call('generate_image', IMAGE))).toEqual(['text']);
    expect(typesOf(await off.call('generate_image', { ...IMAGE, inline_preview: true }))).toEqual(['text', 'image']);
    expect(typesOf(await on.call('generate_image', { ...IMAGE, n: 2 }))).toEqual(['text', 'image', 'image']);
    expect(typesOf(await on.call('generate_image', { ...IMAGE, inline_preview: false }))).toEqual(['text']);
    expect(typesOf(await on.call('synthesize_speech', { input: 'Hello' }))).not.toContain('image');
  });

  test('only the tools that make images take the argument', async () => {
    const app = createApp();
    const { tools } = (await app.rpc('tools/list')).result as { tools: { name: string; inputSchema: { properties: object } }[] };
    const taking = tools.filter(({ inputSchema }) => 'inline_preview' in inputSchema.properties);
    expect(taking.map(({ name }) => name)).toEqual(['generate_image', 'edit_image']);
    expect(textOf(await app.call('synthesize_speech', { input: 'Hello', inline_preview: true }))).toMatch(
      /inline_preview: .*invalid_input/,
    );
    expect(textOf(await app.call('generate_image', { ...IMAGE, inline_preview: 'small' }))).toMatch(
      /inline_preview: must be true or false/,
    );
    expect(await creations(app)).toHaveLength(0);
  });

  test('a job remembers it for whoever collects the result, in any process', async () => {
    const env = testEnvironment();
    const app = createApp(env);
    const { job_id } = (await app.call('generate_image', { ...IMAGE, inline_preview: true, wait_seconds: 0 })).structuredContent;
    expect(typesOf(await app.call('generate_image', { job_id }))).toEqual(['text', 'image', 'text']);
    const other = createApp(env);
    const shown = await other.call('generate_image', { job_id });
    const plain = await other.call('generate_image', { job_id, inline_preview: false });
    expect(typesOf(shown)).toEqual(['text', 'image', 'text']);
    expect({ ...shown, content: shown.content.filter(({ type }) => type === 'text') }).toEqual(plain);
  });

  test('a retry that asks for it collects the same result', async () => {
    const app = createApp();
    await app.fail({ at: '/images', hold: 'all' });
    await app.call('generate_image', { ...IMAGE, wait_seconds: 0 });
    await app.release();
    const retry = await app.call('generate_image', { ...IMAGE, inline_preview: true });
    expect(retry.structuredContent.collected).toBe(true);
    expect(typesOf(retry)).toEqual(['text', 'image', 'text']);
    expect(await creations(app)).toHaveLength(1);
  });
});

describe('a preview', () => {
  test('is the first try that is small enough, of the stored picture', async () => {
    const tries: number[] = [];
    const app = createApp(testEnvironment(), async (image, { sidePixels }) => {
      expect(image.slice(1, 4)).toEqual(new TextEncoder().encode('PNG'));
      tries.push(sidePixels);
      return { bytes: new Uint8Array(MAX_PREVIEW_BYTES + sidePixels - 384).fill(7), contentType: 'image/webp' };
    });
    const { content } = await app.call('generate_image', { ...IMAGE, inline_preview: true });
    expect(tries).toEqual([512, 512, 384]);
    expect(Uint8Array.fromBase64(content[1]?.data ?? '')).toEqual(new Uint8Array(MAX_PREVIEW_BYTES).fill(7));
  });

  test('is made of one picture after the other', async () => {
    let running = 0;
    const app = createApp(testEnvironment(ALWAYS), async () => {
      expect(++running).toBe(1);
      await testRuntime().sleep(100);
      running--;
      return { bytes: new Uint8Array(1), contentType: 'image/webp' };
    });
    expect(typesOf(await app.call('generate_image', { ...IMAGE, n: 3 }))).toEqual(['text', 'image', 'image', 'image']);
  });

  test('is not made for a client that has left', async () => {
    const held = Promise.withResolvers<void>();
    let made = 0;
    const app = createApp(testEnvironment(ALWAYS), async () => {
      made++;
      await held.promise;
      return { bytes: new Uint8Array(1), contentType: 'image/webp' };
    });
    const call = startCall((request) => app.app.request(request), 'generate_image', { ...IMAGE, n: 3 });
    await eventually(() => made === 1);
    call.leave();
    held.resolve();
    await eventually(() => app.logged.some((line) => line.includes('"event":"tool_call"')));
    expect(made).toBe(1);
  });
});

describe('why there is none is said beside the result', () => {
  test.each<[string, ShrinkImage, RegExp]>([
    ['what is missing', async () => ({ problem: 'something is missing' }), /: something is missing\.$/],
    ['an image that cannot be decoded', () => Promise.reject(new Error('corrupt')), /: its file could not be read\.$/],
    ['one that stays large', toBytes(MAX_PREVIEW_BYTES + 1), /: none is as small as 29696 bytes\.$/],
  ])('%s', async (_, shrinkImage, problem) => {
    const app = createApp(testEnvironment(ALWAYS), shrinkImage);
    const result = await app.call('generate_image', { ...IMAGE, n: 2 });
    expect(result.isError).toBeUndefined();
    expect(result.structuredContent.images).toHaveLength(2);
    expect(typesOf(result)).toEqual(['text', 'text']);
    expect(result.content[1]?.text).toMatch(/^No preview of image 1, 2: /);
    expect(result.content[1]?.text).toMatch(problem);
  });

  test('one of several', async () => {
    let images = 0;
    const app = createApp(testEnvironment(ALWAYS), async (image, options) => {
      if (++images === 2) throw new Error('corrupt');
      return toBytes(10)(image, options);
    });
    const result = await app.call('generate_image', { ...IMAGE, n: 3 });
    expect(typesOf(result)).toEqual(['text', 'image', 'image', 'text']);
    expect(result.content[3]?.text).toBe('No preview of image 2: its file could not be read.');
    expect(app.logged.find((line) => line.includes('"event":"preview_failed"'))).toContain('corrupt');
  });

  test('too little time', async () => {
    const { timeLimit } = testRuntime();
    const atOnce: Runtime['timeLimit'] = (ms, signal) => (ms === PREVIEWS_TIMEOUT_MS ? Promise.resolve() : timeLimit(ms, signal));
    const app = createApp(testEnvironment(ALWAYS), () => new Promise(() => {}), { timeLimit: atOnce });
    const result = await app.call('generate_image', IMAGE);
    expect(result.content[1]?.text).toBe('No preview of image 1: there was not enough time.');
  });

  test('too little memory', async () => {
    const app = createApp(testEnvironment(), toBytes(10), { mediaMemoryBytes: 8 * 1024 * 1024 });
    const { job_id } = (await app.call('generate_image', { ...IMAGE, wait_seconds: 0 })).structuredContent;
    await app.call('generate_image', { job_id });
    await app.fail({ at: '/images', hold: 'all' });
    // It reserves all there is.
    const other = app.call('generate_image', { prompt: 'two lamps', n: 2, size: '64x64' });
    await eventually(async () => (await creations(app)).length === 2);
    const result = await app.call('generate_image', { job_id, inline_preview: true });
    await app.release();
    expect(textOf(result)).toContain('No preview of image 1: the gateway has no memory left for it.');
    expect((await other).structuredContent.images).toHaveLength(2);
  });
});
