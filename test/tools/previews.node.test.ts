import { randomFillSync } from 'node:crypto';
import { BlobServiceClient } from '@azure/storage-blob';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { sdkClients } from '../clients/connect.ts';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { type RunningServer, serve } from '../stand-ins/serve.ts';
import { CLIENT_KEY, type Environment, type ToolResult, testEnvironment } from '../support.ts';

const MAX_BYTES = 30_000;
const SIDE_PIXELS = 512;
/** Pictures are compared in so many fields a side, on a scale of 0 to 255. */
const FIELDS = 16;
const MAX_DIFFERENCE = 6;

/** What the upstream makes of these prompts; the stand-in draws the others. */
const pictures: Record<string, () => Promise<Buffer>> = {
  noise: () => noise(3840, 2160, 3),
  'noise, half transparent': () => noise(SIDE_PIXELS, SIDE_PIXELS, 4),
  // Its pixels lie on their side.
  photo: async () =>
    sharp(await sign(600, 300))
      .flatten({ background: 'white' })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer(),
  'transparent sign': () => sign(1536, 1024),
  'small sign': () => sign(64, 32),
};

function noise(width: number, height: number, channels: 3 | 4): Promise<Buffer> {
  const pixels = randomFillSync(Buffer.alloc(width * height * channels));
  return sharp(pixels, { raw: { width, height, channels } }).png({ compressionLevel: 0 }).toBuffer();
}

/** No two corners of it are alike. */
function sign(width: number, height: number): Promise<Buffer> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="50%" height="50%" fill="#e03010"/><rect x="50%" y="50%" width="50%" height="50%" fill="#1050c0"/></svg>`;
  return sharp(Buffer.from(svg)).png().toBuffer();
}

let upstream: RunningServer;
beforeAll(async () => {
  upstream = await serve({
    async fetch(request) {
      const path = new URL(request.url).pathname;
      const body = await request.clone().text();
      const { prompt = '' } = path.endsWith('/generations') ? JSON.parse(body) : {};
      const picture = prompt === 'bomb' ? bomb : pictures[prompt];
      if (picture) return Response.json({ created: 1, data: [{ b64_json: (await picture()).toString('base64') }] });
      return fetch(new Request(inject('openaiUrl') + path, request));
    },
  });
});
afterAll(() => upstream?.close());

const environment = (overrides: Environment = {}) => testEnvironment({ OPENAI_BASE_URL: `${upstream.url}/v1`, ...overrides });

const pixelsOf = (image: Buffer) =>
  sharp(image).autoOrient().flatten({ background: '#00ff00' }).resize(FIELDS, FIELDS, { fit: 'fill' }).raw().toBuffer();

/** A few hundred kilobytes, and as many pixels as would take 250 MB. */
const bomb = () =>
  sharp({ create: { width: 8_000, height: 8_000, channels: 3, background: 'red' } })
    .png()
    .toBuffer();

/** Each picture of a result has its preview, in the same order. */
async function expectPreviews({ isError, content, structuredContent }: ToolResult): Promise<void> {
  expect(isError).toBeFalsy();
  const blocks = content.filter(({ type }) => type === 'image');
  expect(content.map(({ type }) => type)).toEqual(['text', ...structuredContent.images.map(() => 'image')]);
  for (const [index, { url }] of structuredContent.images.entries()) {
    const { data = '', mimeType, annotations } = blocks[index] ?? {};
    const preview = Buffer.from(data, 'base64');
    expect({ mimeType, annotations }).toEqual({ mimeType: 'image/webp', annotations: { audience: ['assistant'] } });
    expect(preview.byteLength).toBeLessThanOrEqual(MAX_BYTES);
    const stored = Buffer.from(await (await fetch(url)).arrayBuffer());
    const [{ format, width, height }, { autoOrient: full }] = await Promise.all([sharp(preview).metadata(), sharp(stored).metadata()]);
    expect(format).toBe('webp');
    expect(Math.max(width, height)).toBeLessThanOrEqual(Math.min(SIDE_PIXELS, Math.max(full.width, full.height)));
    expect(Math.abs(width * full.height - height * full.width)).toBeLessThanOrEqual(Math.max(full.width, full.height));
    const [seen, made] = await Promise.all([pixelsOf(preview), pixelsOf(stored)]);
    const difference = seen.reduce((sum, value, at) => sum + Math.abs(value - (made[at] ?? 0)), 0) / seen.length;
    expect(difference).toBeLessThan(MAX_DIFFERENCE);
  }
}

const start = {
  Node: (env: Environment) => startNodeGateway(env),
  workerd: (env: Environment) => startWorkerdGateway(env, undefined, { withImages: true }),
};

describe.each(Object.entries(start))('%s', (_, startGateway) => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await startGateway(environment());
  });
  afterAll(() => gateway?.close());

  test.each(['SDK 1.x', 'SDK 1.x, /sse', 'SDK 2.x, pinned'] as const)('%s gets a preview of each image, made and edited', async (name) => {
    const client = await sdkClients[name].connect(gateway.url, CLIENT_KEY);
    const made = await client.callTool('generate_image', { prompt: 'a lamp', n: 2, size: '1536x1024', inline_preview: true });
    expect(made.structuredContent.images).toHaveLength(2);
    await expectPreviews(made);
    const images = made.structuredContent.images.map(({ url }: { url: string }) => url);
    await expectPreviews(await client.callTool('edit_image', { prompt: 'night', images, output_format: 'jpeg', inline_preview: true }));
    await client.close();
  });

  test.each(Object.keys(pictures))('%s', async (prompt) => {
    const client = await sdkClients['SDK 1.x'].connect(gateway.url, CLIENT_KEY);
    await expectPreviews(await client.callTool('generate_image', { prompt, inline_preview: true }));
    await client.close();
  });

  test('what cannot be decoded leaves the result as it is', async () => {
    const client = await sdkClients['SDK 1.x'].connect(gateway.url, CLIENT_KEY);
    const large = await client.callTool('generate_image', { prompt: 'bomb', inline_preview: true });
    expect(large.content[1]?.text).toBe('No preview of image 1: it has more than 36000000 pixels.');

    const started = await client.callTool('generate_image', { prompt: 'small sign', wait_seconds: 0 });
    const { job_id } = started.structuredContent;
    const result = await client.callTool('generate_image', { job_id });
    const blob = blobOf(result);
    const unreadable = { type: 'text', text: 'No preview of image 1: its file could not be read.' };
    const withText = [result.content[0], unreadable, ...result.content.slice(1)];
    await blob.uploadData(new Uint8Array(result.structuredContent.images[0].bytes));
    expect(await client.callTool('generate_image', { job_id, inline_preview: true })).toEqual({ ...result, content: withText });
    await blob.delete();
    expect(await client.callTool('generate_image', { job_id, inline_preview: true })).toEqual({ ...result, content: withText });
    await client.close();
  });
});

/** The stored file of a result's first image. */
function blobOf({ structuredContent }: ToolResult) {
  const { connectionString, container, containerUrl } = inject('storage');
  const name = structuredContent.images[0].url.slice(`${containerUrl}/`.length);
  return BlobServiceClient.fromConnectionString(connectionString).getContainerClient(container).getBlockBlobClient(name);
}

/** Node, with something else in the place of sharp. */
function startWith(sharp: string, env: Environment): Promise<RunningGateway> {
  const hook = `import { registerHooks } from 'node:module';
    registerHooks({ resolve: (name, context, next) => next(name === 'sharp' ? '${sharp}' : name, context) });`;
  return startNodeGateway(env, undefined, undefined, ['--import', `data:text/javascript,${encodeURIComponent(hook)}`]);
}

test.each<[string, RegExp, (env: Environment) => Promise<RunningGateway>]>([
  ['Node without sharp', /runs without the npm package sharp/, (env) => startWith('not-installed', env)],
  ['Node whose decoder crashes', /its file could not be read/, (env) => startWith('data:text/javascript,process.abort()', env)],
  ['workerd without Cloudflare Images', /has no IMAGES binding/, (env) => startWorkerdGateway(env)],
])('%s says why there is no preview, and gives the rest of the result', async (_, problem, startGateway) => {
  const gateway = await startGateway(environment({ MCP_INLINE_PREVIEW: '1' }));
  const client = await sdkClients['SDK 1.x'].connect(gateway.url, CLIENT_KEY);
  const { isError, content, structuredContent } = await client.callTool('generate_image', { prompt: 'a lamp', n: 2, size: '64x64' });
  expect(isError).toBeFalsy();
  expect(structuredContent.images).toHaveLength(2);
  expect(content).toEqual([
    { type: 'text', text: expect.stringContaining(structuredContent.images[1].url) },
    { type: 'text', text: expect.stringMatching(problem) },
  ]);
  expect(content[1]?.text).toMatch(/^No preview of image 1, 2: [^\n]+\.$/);
  await client.close();
  await gateway.close();
});
