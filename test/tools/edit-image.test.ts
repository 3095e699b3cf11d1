import { describe, expect, inject, test } from 'vitest';
import { createTestApp, eventually, newAccount, testEnvironment, testRuntime } from '../support.ts';

type App = ReturnType<typeof createTestApp>;

/** Images of the gateway's own, of 64x64 pixels. */
async function makeImages(app: App, ...prompts: string[]): Promise<string[]> {
  const results = await Promise.all(prompts.map((prompt) => app.call('generate_image', { prompt, size: '64x64' })));
  return results.map(({ structuredContent }) => structuredContent.images[0].url);
}

const edits = async (app: App) => (await app.requests()).filter(({ path }) => path.endsWith('/images/edits'));
const bytesOf = async (url: string) => [...new Uint8Array(await (await fetch(url)).arrayBuffer())];
const resultOf = (result: Awaited<ReturnType<App['call']>>): string => result.structuredContent.images[0].url;

describe('what is sent', () => {
  test('one image as `image`, and nothing that the caller has not set', async () => {
    const app = createTestApp();
    const [url = ''] = await makeImages(app, 'a lamp');
    const { structuredContent } = await app.call('edit_image', { prompt: 'Make it night.', images: [url] });
    expect(structuredContent).toMatchObject({ images: [{ width: 64, height: 64, content_type: 'image/png' }], model: 'gpt-image-2' });
    expect(structuredContent.usage).toMatchObject({ input_tokens: 510 });
    expect((await edits(app)).map(({ body }) => body)).toEqual([
      { prompt: 'Make it night.', model: 'gpt-image-2', image: { type: 'image/png', bytes: (await bytesOf(url)).length } },
    ]);
  });

  test('several as `image[]`, in order, with a mask and everything that the caller has set', async () => {
    const app = createTestApp();
    const urls = await makeImages(app, 'a lamp', 'a pier');
    const args = {
      prompt: 'Both.',
      n: 2,
      size: '128x64',
      quality: 'low',
      background: 'opaque',
      output_format: 'webp',
      output_compression: 50,
    };
    const { structuredContent } = await app.call('edit_image', { ...args, images: urls, mask: urls[0] });
    expect(structuredContent.images).toHaveLength(2);
    expect(structuredContent.images[0]).toMatchObject({ width: 128, height: 64, content_type: 'image/webp' });
    const file = { type: 'image/png', bytes: expect.any(Number) };
    expect((await edits(app))[0]?.body).toEqual({
      ...args,
      n: '2',
      output_compression: '50',
      model: 'gpt-image-2',
      'image[]': [file, file],
      mask: file,
    });
  });

  test.each([
    ['2025-04-01-preview', '/openai/deployments/team-image/images/edits'],
    ['v1', '/openai/v1/images/edits'],
  ])('on Azure, to the deployment (%s)', async (AZURE_OPENAI_API_VERSION, path) => {
    const [url = ''] = await makeImages(createTestApp(), 'a lamp');
    const azure = {
      AZURE_OPENAI_ENDPOINT: inject('openaiUrl'),
      AZURE_OPENAI_API_KEY: newAccount(),
      AZURE_OPENAI_IMAGE_DEPLOYMENT: 'team-image',
    };
    const app = createTestApp(testEnvironment({ ...azure, AZURE_OPENAI_API_VERSION }));
    expect((await app.call('edit_image', { prompt: 'x', images: [url] })).structuredContent).toMatchObject({ model: 'team-image' });
    expect((await edits(app))[0]?.path).toBe(path);
  });

  test('generate_image with reference_images edits, too; a single URL is a list of one', async () => {
    const app = createTestApp();
    const [url = ''] = await makeImages(app, 'a lamp');
    const { structuredContent } = await app.call('generate_image', { prompt: 'In this style.', reference_images: url });
    expect(structuredContent.images).toHaveLength(1);
    expect(await edits(app)).toHaveLength(1);
  });
});

describe('what comes back', () => {
  test('depends on every image, and on the mask', async () => {
    const app = createTestApp();
    const [lamp = '', pier = ''] = await makeImages(app, 'a lamp', 'a pier');
    const { structuredContent } = await app.call('generate_image', { prompt: 'a hole', size: '64x64', background: 'transparent' });
    const mask = structuredContent.images[0].url;
    const edit = async (args: object) => bytesOf(resultOf(await app.call('edit_image', { prompt: 'x', ...args })));
    const results: number[][] = [];
    for (const args of [{ images: [lamp] }, { images: [pier] }, { images: [lamp, pier] }, { images: [lamp], mask }])
      results.push(await edit(args));
    expect(new Set(results.map(String)).size).toBe(4);
    // The negative of the negative.
    const once = resultOf(await app.call('edit_image', { prompt: 'x', images: [lamp] }));
    const twice = await edit({ images: [once] });
    expect(String(twice)).not.toBe(String(results[0]));
  });

  test('is collected by a retry, and paid for once', async () => {
    const app = createTestApp(testEnvironment(), testRuntime({ outlivesClients: true }));
    const [url = ''] = await makeImages(app, 'a lamp');
    await app.fail({ at: '/edits', hold: 'all' });
    const args = { prompt: 'x', images: [url] };
    const { job_id } = (await app.call('edit_image', { ...args, wait_seconds: 0 })).structuredContent;
    const second = app.call('edit_image', { job_id });
    await eventually(async () => (await edits(app)).length === 1);
    await app.release();
    expect((await second).structuredContent).toMatchObject({ collected: true, images: [{ width: 64 }] });
    expect(await edits(app)).toHaveLength(1);
  });
});

describe('what cannot be used', () => {
  const gif = Uint8Array.fromBase64('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7');

  test('is refused by name, before anything is sent or billed', async () => {
    const env = testEnvironment();
    const app = createTestApp(env);
    const [url = ''] = await makeImages(app, 'a lamp');
    const { structuredContent } = await app.call('generate_image', { prompt: 'wide', size: '128x64' });
    const wide = structuredContent.images[0].url;
    const jpeg = resultOf(await app.call('generate_image', { prompt: 'x', size: '64x64', output_format: 'jpeg' }));
    const cases: [object, RegExp][] = [
      [{ images: [] }, /images: .*at least 1/],
      [{ images: Array(17).fill(url) }, /images: .*at most 16/],
      [{ images: [url, 'https://elsewhere.example.com/x.png'] }, /images\[1\]: is on a host .*MCP_ALLOWED_INPUT_HOSTS/],
      [{ images: ['ftp://x/y'] }, /images\[0\]: must be an https URL/],
      [{ images: [`${url}-gone`] }, /images\[0\]: could not be read: it returned 404/],
      [{ images: [url], mask: jpeg }, /mask: must be a PNG/],
      [{ images: [url], mask: wide }, /mask: must be as large as the first image: it is 128x64, and that is 64x64/],
      [{ images: [url], output_compression: 5 }, /output_compression: requires output_format/],
      [{ images: [url], background: 'transparent', output_format: 'jpeg' }, /background: transparent requires/],
    ];
    for (const [args, problem] of cases) {
      const { isError, content } = await app.call('edit_image', { prompt: 'x', ...args });
      expect(isError).toBe(true);
      expect(content[0]?.text).toMatch(problem);
      expect(content[0]?.text).toMatch(/Nothing was sent/);
    }
    const style = await app.call('generate_image', { prompt: 'x', reference_images: [url], style: 'vivid' });
    expect(style.content[0]?.text).toMatch(/reference_images: cannot be combined/);
    expect(await edits(app)).toHaveLength(0);
  });

  test('a GIF', async () => {
    const runtime = testRuntime();
    const fetchPublic: typeof fetch = async () => new Response(gif, { headers: { 'content-type': 'image/png' } });
    const app = createTestApp(testEnvironment({ MCP_ALLOWED_INPUT_HOSTS: 'images.example.com' }), { ...runtime, fetchPublic });
    const { content } = await app.call('edit_image', { prompt: 'x', images: ['https://images.example.com/x.png'] });
    expect(content[0]?.text).toMatch(/images\[0\]: must be a PNG, JPEG or WebP image/);
    expect(await edits(app)).toHaveLength(0);
  });

  test('images that are together larger than the memory for them', async () => {
    const png = new Uint8Array(4 * 1024 * 1024);
    png.set(Uint8Array.fromBase64('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='));
    const runtime = testRuntime({ mediaMemoryBytes: 40 * 1024 * 1024 });
    let fetched = 0;
    const fetchPublic: typeof fetch = async () => {
      fetched++;
      return new Response(png);
    };
    const app = createTestApp(testEnvironment({ MCP_ALLOWED_INPUT_HOSTS: 'images.example.com' }), { ...runtime, fetchPublic });
    const images = Array.from({ length: 16 }, (_, index) => `https://images.example.com/${index}.png`);
    const { isError, content } = await app.call('edit_image', { prompt: 'x', images });
    expect(isError).toBe(true);
    expect(content[0]?.text).toMatch(/images\[2\]: .*larger than/);
    expect(fetched).toBe(3);
    expect(await edits(app)).toHaveLength(0);
    // What was reserved is free again.
    expect((await app.call('generate_image', { prompt: 'a lamp', size: '64x64' })).isError).toBeUndefined();
  });

  test('images for which there is no memory now: the call is refused, and works later', async () => {
    const app = createTestApp(testEnvironment(), testRuntime({ mediaMemoryBytes: 8 * 1024 * 1024 }));
    const [url = ''] = await makeImages(app, 'a lamp');
    await app.fail({ at: '/generations', hold: 'all' });
    const first = app.call('generate_image', { prompt: 'x', size: '64x64' });
    await eventually(async () => (await app.requests()).length === 2);
    // Half of the memory is left, of which the result takes all.
    const refused = await app.call('edit_image', { prompt: 'x', images: [url] });
    expect(refused.content[0]?.text).toMatch(/Nothing was sent or billed; retry in \d+ s.*\(busy/);
    await app.release();
    await first;
    expect((await app.call('edit_image', { prompt: 'x', images: [url] })).isError).toBeUndefined();
    expect(await edits(app)).toHaveLength(1);
  });

  test('storage that takes nothing is noticed before the images are read', async () => {
    const runtime = testRuntime();
    const fetch: typeof globalThis.fetch = async (input, init) =>
      init?.method === 'PUT' ? new Response(null, { status: 403 }) : runtime.fetch(input, init);
    const app = createTestApp(testEnvironment(), { ...runtime, fetch });
    const { isError } = await app.call('edit_image', { prompt: 'x', images: [`${inject('storage').containerUrl}/x.png`] });
    expect(isError).toBe(true);
    expect(await edits(app)).toHaveLength(0);
  });
});
