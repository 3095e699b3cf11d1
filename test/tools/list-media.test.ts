import { describe, expect, test } from 'vitest';
import { createDayIndex } from '../../src/jobs/day-index.ts';
import { newSecret, setUpSealed } from '../jobs/sealed.ts';
import { createTestApp, eventually, testEnvironment, testRuntime } from '../support.ts';

type App = ReturnType<typeof createTestApp>;

async function listed(app: App, args: object = {}) {
  return (await app.call('list_media', args)).structuredContent as { media: Record<string, unknown>[]; next_to?: string };
}

/** What was made is listed a moment after its result. */
async function listedOnce(app: App, count: number) {
  await eventually(async () => (await listed(app)).media.length >= count);
  return (await listed(app)).media;
}

test('lists what was made, newest first, with what made it', async () => {
  const app = createTestApp();
  const image = (await app.call('generate_image', { prompt: 'a secret lamp', size: '64x128' })).structuredContent;
  await listedOnce(app, 1);
  const speech = (await app.call('synthesize_speech', { input: 'Hello' })).structuredContent;
  const media = await listedOnce(app, 2);
  const created_at = expect.stringMatching(/^20\d\d-/);
  expect(media).toEqual([
    { url: speech.url, content_type: 'audio/mpeg', bytes: speech.bytes, tool: 'synthesize_speech', model: speech.model, created_at },
    {
      ...{ url: image.images[0].url, content_type: 'image/png', bytes: image.images[0].bytes, width: 64, height: 128 },
      ...{ tool: 'generate_image', model: 'gpt-image-2', created_at },
    },
  ]);
  expect(JSON.stringify(media)).not.toContain('secret lamp');
});

test('lists prompts if the operator wants that', async () => {
  const app = createTestApp(testEnvironment({ MCP_STORE_PROMPTS: '1' }));
  await app.call('generate_image', { prompt: 'a lamp', n: 2, size: '64x64' });
  expect((await listedOnce(app, 2)).map(({ prompt }) => prompt)).toEqual(['a lamp', 'a lamp']);
});

test('lists every file of a video once, also when a call has continued it', async () => {
  const app = createTestApp();
  const { structuredContent } = await app.call('generate_video', { prompt: 'a lamp' });
  const done = (await app.call('generate_video', { video_id: structuredContent.video_id })).structuredContent;
  const urlsOf = ({ video, thumbnail }: Record<string, { url: string } | undefined>) =>
    [video, thumbnail].flatMap((file) => file?.url ?? []).toSorted();
  const media = await listedOnce(app, 1);
  expect(media.map(({ url }) => url).toSorted()).toEqual(urlsOf(done));
});

test('survives the process, and is shared by replicas', async () => {
  const env = testEnvironment();
  await createTestApp(env).call('generate_image', { prompt: 'a lamp', size: '64x64' });
  expect(await listedOnce(createTestApp(env), 1)).toHaveLength(1);
});

test('is of nobody else', async () => {
  const app = createTestApp();
  await app.call('generate_image', { prompt: 'a lamp', size: '64x64' });
  await listedOnce(app, 1);
  expect((await listed(createTestApp())).media).toEqual([]);
});

test('links of a private container are fresh', async () => {
  let laterMs = 0;
  const { now, ...runtime } = testRuntime();
  const app = createTestApp(testEnvironment({ AZURE_BLOB_READ_SAS_HOURS: '1' }), { ...runtime, now: () => now() + laterMs });
  await app.call('generate_image', { prompt: 'a lamp', size: '64x64' });
  const [first] = await listedOnce(app, 1);
  laterMs = 60 * 60_000;
  const [second] = (await listed(app)).media;
  expect(Date.parse(second?.expires_at as string) - Date.parse(first?.expires_at as string)).toBeGreaterThanOrEqual(laterMs);
  expect(new URL(second?.url as string).searchParams.get('se')).not.toBe(new URL(first?.url as string).searchParams.get('se'));
});

describe('finds', () => {
  test('by kind and tool', async () => {
    const app = createTestApp();
    await app.call('generate_image', { prompt: 'a lamp', size: '64x64' });
    await app.call('synthesize_speech', { input: 'Hello' });
    await listedOnce(app, 2);
    const toolsOf = async (args: object) => (await listed(app, args)).media.map(({ tool }) => tool);
    expect(await toolsOf({ kind: 'image' })).toEqual(['generate_image']);
    expect(await toolsOf({ kind: 'audio' })).toEqual(['synthesize_speech']);
    expect(await toolsOf({ kind: 'video' })).toEqual([]);
    expect(await toolsOf({ tool: 'synthesize_speech' })).toEqual(['synthesize_speech']);
  });

  test('by day, across days, and in pages', async () => {
    const secret = newSecret();
    const app = createTestApp(testEnvironment({ STATE_SECRET: secret }), testRuntime({}, 1));
    const dayMs = 86_400_000;
    const index = createDayIndex(setUpSealed([secret], 'history').sealed, testRuntime());
    const daysAgo = [0, 1, 3, 30, 40];
    const timeOf = (days: number) => Date.now() - 3_600_000 - days * dayMs;
    for (const days of daysAgo) {
      const [started_ms, ended_ms] = [timeOf(days), timeOf(days) + 1];
      const files = [{ url: `https://media.example.com/${days}.png`, content_type: 'image/png', bytes: 1 }];
      await index.append('default', { id: `job-${days}`, tool: 'generate_image', state: 'completed', started_ms, ended_ms, files });
    }
    const found = async (args: object) => (await listed(app, args)).media.map(({ url }) => Number(/(\d+)\.png/.exec(url as string)?.[1]));
    const day = new Date(timeOf(3)).toISOString().slice(0, 10);
    expect(await found({ from: day, to: day })).toEqual([3]);
    expect(await found({ to: day })).toEqual([3]);
    const first = await listed(app, { limit: 2 });
    expect(await found({ limit: 2, to: first.next_to })).toEqual([3]);
    // Only so many days are searched at once.
    const pages: number[][] = [];
    const from = new Date(timeOf(45)).toISOString();
    for (let to: string | undefined = new Date().toISOString(); to !== undefined; to = (await listed(app, { from, to })).next_to)
      pages.push(await found({ from, to }));
    expect(pages.length).toBeLessThan(6);
    expect(pages.flat()).toEqual([0, 1, 3, 30, 40]);
  });

  test.each([
    [{ from: 'yesterday' }, 'from: must be a date'],
    [{ from: '2026-13-45' }, 'from: '],
    [{ from: '2026-11-02', to: '2026-11-01' }, 'from: must not be after to'],
    [{ limit: 0 }, 'limit: '],
    [{ kind: 'movie' }, 'kind: '],
  ])('nothing that does not exist: %j', async (args, problem) => {
    const { isError, content } = await createTestApp().call('list_media', args);
    expect([isError, content[0]?.text]).toEqual([true, expect.stringContaining(problem)]);
  });
});
