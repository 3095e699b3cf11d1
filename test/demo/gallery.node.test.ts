import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createTestApp, S3_CLOCK_SPEED, s3Environment, testEnvironment, testRuntime } from '../support.ts';
import type { Outcome } from './calls.ts';
import { startGallery } from './gallery.ts';
import { blobStore, bucketStore } from './stores.ts';

const KEY = 'key-of-the-gallery';
const outcomes: Outcome[] = [];
const store = blobStore(inject('storage'));
let gallery: Awaited<ReturnType<typeof startGallery>>;
const open = async () => (await fetch(gallery.url)).text();

beforeAll(async () => {
  gallery = await startGallery({ gatewayUrl: 'http://127.0.0.1:1', key: KEY, store, outcomes }, 0);
});
afterAll(() => gallery.close());

async function make(name: string, args: Record<string, unknown>) {
  const app = createTestApp(testEnvironment({ AZURE_BLOB_PATH_PREFIX: 'gallery' }));
  await app.setVideos({ jobSeconds: 0 });
  return (await app.call(name, args)).structuredContent;
}

describe("the demo's page", () => {
  test("shows the demo's images by their prompt, which is data and not markup", async () => {
    const prompt = 'A <script>alert(1)</script> "cat"';
    const { images } = await make('generate_image', { prompt, size: '64x64' });
    const { url } = images[0];
    outcomes.push({ call: { name: 'generate_image', arguments: { prompt } }, isOk: true, text: url, urls: [url] });
    const page = await open();
    expect(page).toContain(`<img src="${url}" alt="A &lt;script&gt;alert(1)&lt;/script&gt; &quot;cat&quot;">`);
    expect(page).not.toContain('<script');
  });

  test('shows what another client has made, a video with its thumbnail', async () => {
    const { images } = await make('generate_image', { prompt: 'a lamp', size: '64x64' });
    const { video, thumbnail } = await make('generate_video', { prompt: 'a lamp' });
    const page = await open();
    expect(page).toContain(`<img src="${images[0].url}" alt="${images[0].url.split('/').at(-1)}">`);
    expect(page).toContain(`<video src="${video.url}" poster="${thumbnail.url}" controls`);
    expect(page).not.toContain(`<img src="${thumbnail.url}"`);
  });

  test("shows how to connect, with the demo's own key", async () => {
    const page = await open();
    expect(page).toContain('href="http://127.0.0.1:1/"');
    expect(page).toContain(`claude mcp add --transport http openai &quot;http://127.0.0.1:1/mcp&quot;`);
    expect(page).toContain(`Bearer ${KEY}`);
    expect(page).not.toContain('&lt;MCP_SERVER_API_KEY&gt;');
  });

  test('runs no script, and loads nothing but the media', async () => {
    const policy = (await fetch(gallery.url)).headers.get('content-security-policy');
    const { origin } = new URL(inject('storage').containerUrl);
    expect(policy).toMatch(/^default-src 'none'; style-src 'nonce-[\w+/=]+'; /);
    expect(policy).toContain(`img-src ${origin} data:; media-src ${origin}`);
  });

  test('shows what is in a private bucket', async () => {
    const bucket = bucketStore(inject('s3'));
    const app = createTestApp(s3Environment(), testRuntime({}, S3_CLOCK_SPEED));
    const { images } = (await app.call('generate_image', { prompt: 'a lamp', size: '64x64' })).structuredContent;
    const other = await startGallery({ gatewayUrl: gallery.url, key: KEY, store: bucket, outcomes }, 0);
    const page = await (await fetch(other.url)).text();
    const shown = /<img src="([^"]+)"/.exec(page.slice(page.indexOf('Gallery')))?.[1]?.replaceAll('&amp;', '&') ?? '';
    expect(page).toContain(images[0].url.split('?')[0]);
    expect((await fetch(shown)).headers.get('content-type')).toBe('image/png');
    await other.close();
  });

  test('takes another port when its own is taken', async () => {
    const options = { gatewayUrl: gallery.url, key: KEY, store, outcomes };
    const other = await startGallery(options, Number(new URL(gallery.url).port));
    expect(other.url).not.toBe(gallery.url);
    expect((await fetch(other.url)).status).toBe(200);
    await other.close();
  });
});
