import { expect, test } from 'vitest';
import { createTestApp, type Environment, eventually, S3_CLOCK_SPEED, s3Environment, testRuntime } from '../support.ts';

const IMAGE = { prompt: 'a lamp', size: '64x64', idempotency_key: 'the lamp' };
const PRICES = { MODEL_PRICES: JSON.stringify({ 'gpt-image-2': { image: 0.1 } }), MCP_BUDGET_USD_PER_DAY: '0.15' };

const createS3App = (env: Environment) => createTestApp(env, testRuntime({}, S3_CLOCK_SPEED));

test('images, results, budgets and the list of media are all kept in the bucket', async () => {
  const env = s3Environment({ ...PRICES, MEDIA_PATH_PREFIX: 'team/a' });
  const first = createS3App(env);
  const made = await first.call('generate_image', IMAGE);
  expect(made.structuredContent).toMatchObject({ cost_usd: 0.1, images: [{ content_type: 'image/png', expires_at: expect.any(String) }] });
  const [{ url, bytes, warning }] = made.structuredContent.images;
  expect(url).toContain('/media/team/a/images/');
  expect(warning).toBeUndefined();
  expect((await (await fetch(url)).arrayBuffer()).byteLength).toBe(bytes);
  expect((await fetch(url.split('?')[0])).ok).toBe(false);
  await first.gateway.close();

  // Another process, which has nothing but the bucket.
  const second = createS3App(env);
  const again = await second.call('generate_image', IMAGE);
  expect(again.structuredContent.images[0].url.split('?')[0]).toBe(url.split('?')[0]);
  expect(await second.bills()).toHaveLength(1);
  const listed = await eventually(async () => (await second.call('list_media', {})).structuredContent.media[0]);
  expect(listed).toMatchObject({ bytes, tool: 'generate_image' });
  expect((await fetch(listed.url)).ok).toBe(true);
  const refused = await second.call('generate_image', { prompt: 'another lamp', size: '64x64' });
  expect(refused.content[0]?.text).toContain('(over_budget,');
  expect(await second.bills()).toHaveLength(1);
});

test('the result of a call whose client has left is collected by its retry', async () => {
  const app = createS3App(s3Environment());
  await app.fail({ hold: 'all' });
  const waiting = await app.call('generate_image', { prompt: 'a slow lamp', size: '64x64', wait_seconds: 0 });
  const { job_id } = waiting.structuredContent;
  expect(job_id).toEqual(expect.any(String));
  await app.release();
  const collected = await app.call('generate_image', { job_id });
  expect((await fetch(collected.structuredContent.images[0].url)).ok).toBe(true);
  expect(await app.bills()).toHaveLength(1);
});

test('speech is streamed into the bucket, and what is stored can be passed to another tool', async () => {
  const app = createS3App(s3Environment());
  const speech = (await app.call('synthesize_speech', { input: 'Hello', response_format: 'wav' })).structuredContent;
  expect((await app.call('transcribe_audio', { audio: speech.url })).isError).toBeUndefined();
  // At the same host are the buckets of others.
  const other = await app.call('transcribe_audio', { audio: speech.url.replace('/media/', '/other/') });
  expect(other.content[0]?.text).toContain('MCP_ALLOWED_INPUT_HOSTS');
});

test('nothing is billed when the bucket cannot be used', async () => {
  const app = createS3App(s3Environment({ S3_SECRET_ACCESS_KEY: 'wrong-secret' }));
  const refused = await app.call('generate_image', IMAGE);
  expect(refused.content[0]?.text).toMatch(/Nothing was sent or billed.*S3_SECRET_ACCESS_KEY/);
  expect(await app.requests()).toEqual([]);
});

test('what is missing is named', async () => {
  const app = createS3App(s3Environment({ S3_BUCKET: '' }));
  expect((await app.call('generate_image', { prompt: 'a lamp' })).content[0]?.text).toContain('S3_BUCKET');
});
