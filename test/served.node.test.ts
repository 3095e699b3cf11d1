import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isChromiumMissing, launchChromium } from './chromium.ts';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from './gateways.ts';
import { newFolder } from './media/folder.ts';
import { readSample } from './stand-ins/openai/speech.ts';
import { CLIENT_HEADERS, eventually, newAccount, readAnswer, servedEnvironment, setVideos, testEnvironment } from './support.ts';

const callTool = (gateway: RunningGateway, name: string, args: object) => callServer(gateway, 'tools/call', { name, arguments: args });

async function callServer({ url }: RunningGateway, method: string, params: object) {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const { result } = await readAnswer(await fetch(`${url}/mcp`, { method: 'POST', headers: CLIENT_HEADERS, body }));
  // biome-ignore lint/suspicious/noExplicitAny: of any method.
  return result as any;
}

/** With nothing but a key for OpenAI. */
function withoutStorage() {
  const { MCP_SERVER_API_KEY = '', OPENAI_BASE_URL = '' } = testEnvironment();
  return { MCP_SERVER_API_KEY, OPENAI_BASE_URL, OPENAI_VIDEO_BASE_URL: OPENAI_BASE_URL, OPENAI_API_KEY: newAccount() };
}

test('on loopback, Node needs no storage: media is in a folder, at the port that was free, and can be sought in', async () => {
  const folder = newFolder();
  const env = { ...withoutStorage(), MEDIA_DIR: folder };
  const gateway = await startNodeGateway(env);
  const { structuredContent } = await callTool(gateway, 'generate_image', { prompt: 'A lighthouse', idempotency_key: 'one' });
  const [{ url, bytes }] = structuredContent.images;
  expect(new URL(url).origin).toBe(gateway.url);
  const [response, head] = [await fetch(url), await fetch(url, { method: 'HEAD' })];
  expect(head.headers.get('content-length')).toBe(String(bytes));
  const content = await response.bytes();
  expect([content.byteLength, response.headers.get('content-length')]).toEqual([bytes, String(bytes)]);
  const part = await fetch(url, { headers: { range: `bytes=${bytes - 10}-` } });
  expect([part.status, part.headers.get('content-length'), await part.bytes()]).toEqual([206, '10', content.slice(-10)]);
  expect(existsSync(join(folder, new URL(url).pathname.slice('/media/'.length)))).toBe(true);
  await gateway.close();
  const again = await startNodeGateway(env);
  const collected = await callTool(again, 'generate_image', { prompt: 'A lighthouse', idempotency_key: 'one' });
  expect(new URL(collected.structuredContent.images[0].url).pathname).toBe(new URL(url).pathname);
  await again.close();
});

test('while the folder cannot be read, media is unavailable, which the log explains', async () => {
  const gateway = await startNodeGateway({ ...withoutStorage(), MEDIA_DIR: '/dev/null/media' });
  let log = '';
  gateway.log?.on('data', (chunk) => (log += chunk));
  const response = await fetch(`${gateway.url}/media/images/2026/11/25/x.png`);
  const { headers } = response;
  expect([response.status, headers.get('retry-after'), headers.get('cache-control')]).toEqual([503, '10', 'no-store']);
  expect(await response.json()).toMatchObject({ error: { code: 'media_unavailable' } });
  await eventually(() => /media_not_read.*MEDIA_DIR.*ENOTDIR/.test(log));
  await gateway.close();
});

test('beyond loopback, the operator chooses', async () => {
  const gateway = await startNodeGateway({ ...withoutStorage(), HOST: '0.0.0.0', MCP_ALLOW_WEAK_KEY: '1' });
  const { content } = await callTool(gateway, 'generate_image', { prompt: 'A lighthouse' });
  expect(content[0].text).toContain('MEDIA_STORE');
  expect((await fetch(`${gateway.url}/media/images/2026/11/25/x.png`)).status).toBe(401);
  await gateway.close();
});

describe('the built Worker, told nothing but two keys', () => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await startWorkerdGateway(withoutStorage());
  });
  afterAll(() => gateway?.close());

  test('serves media of its bucket at the URL that its client uses, whole and in ranges', async () => {
    const { structuredContent } = await callTool(gateway, 'generate_image', { prompt: 'A lighthouse' });
    const [{ url, bytes }] = structuredContent.images;
    expect(new URL(url).origin).toBe(gateway.url);
    const response = await fetch(url);
    const content = await response.bytes();
    expect([content.byteLength, response.headers.get('content-length')]).toEqual([bytes, String(bytes)]);
    expect((await fetch(url, { method: 'HEAD' })).headers.get('content-length')).toBe(String(bytes));
    const part = await fetch(url, { headers: { range: 'bytes=1-3' } });
    expect([part.status, await part.text()]).toEqual([206, 'PNG']);
  });

  test('edits what a client of another host name has made', async () => {
    const { structuredContent } = await callTool(gateway, 'generate_image', { prompt: 'A lighthouse' });
    const [{ url }] = structuredContent.images;
    const named = { ...gateway, url: gateway.url.replace('127.0.0.1', 'localhost') };
    const edited = await callTool(named, 'edit_image', { prompt: 'At night', images: [url.replace('127.0.0.1', 'localhost')] });
    expect(edited.structuredContent.images).toHaveLength(1);
  });

  test('takes uploads, and shows the page what may be loaded', async () => {
    const { structuredContent } = await callTool(gateway, 'create_upload', {});
    const put = await fetch(structuredContent.upload_url, { method: 'PUT', body: new Uint8Array(readSample('spritesheet.jpg')) });
    expect(new URL((await put.json()).url).origin).toBe(gateway.url);
    const { contents } = await callServer(gateway, 'resources/read', { uri: 'ui://gateway/media.html' });
    expect(contents[0]._meta.ui.csp.resourceDomains).toContain(gateway.url);
  });

  test('has links for clients of the legacy transport', async () => {
    const transport = new SSEClientTransport(new URL(`${gateway.url}/sse`), {
      requestInit: { headers: CLIENT_HEADERS },
      eventSourceInit: { fetch: (url, init) => fetch(url, { ...init, headers: { ...CLIENT_HEADERS, accept: 'text/event-stream' } }) },
    });
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(transport);
    const { content } = await client.callTool({ name: 'generate_image', arguments: { prompt: 'A harbour' } });
    expect(JSON.stringify(content)).toContain(`${gateway.url}/media/`);
    await client.close();
  });

  test('gives no link to the host that somebody without a key has named', async () => {
    const fresh = await startWorkerdGateway(withoutStorage());
    const { port } = new URL(fresh.url);
    const answered = once(request({ port, path: '/mcp', method: 'POST', headers: { host: 'evil.example.com' } }).end(), 'response');
    expect((await answered)[0].statusCode).toBe(401);
    const { structuredContent } = await callTool(fresh, 'generate_image', { prompt: 'A lighthouse' });
    expect(new URL(structuredContent.images[0].url).origin).toBe(fresh.url);
    await fresh.close();
  });
});

test.skipIf(isChromiumMissing).each([
  ['a folder', (env: Record<string, string>) => startNodeGateway(env)],
  ['the bucket', ({ MEDIA_DIR: _, HOST: __, ...env }: Record<string, string>) => startWorkerdGateway({ ...env, MEDIA_STORE: 'r2' })],
])('a browser plays a video of %s on the page of another origin, and seeks in it', async (_, startGateway) => {
  const OPENAI_API_KEY = newAccount();
  await setVideos(OPENAI_API_KEY, { jobSeconds: 1, contentBytes: 8_000_000 });
  const gateway = await startGateway(await servedEnvironment({ OPENAI_API_KEY }));
  const { structuredContent } = await callTool(gateway, 'generate_video', { prompt: 'A lighthouse', seconds: 12, size: '1280x720' });
  const url = gateway.url + new URL(structuredContent.video.url).pathname;
  const browser = await launchChromium('--autoplay-policy=no-user-gesture-required');
  try {
    const page = await browser.newPage();
    const statuses: number[] = [];
    page.on('response', (response) => statuses.push(response.status()));
    await page.setContent(`<video src="${url}" crossorigin="anonymous" muted></video>`);
    const played = await page.locator('video').evaluate(async (element) => {
      const video = element as HTMLVideoElement;
      const next = (event: string) => new Promise((resolve) => video.addEventListener(event, resolve, { once: true }));
      if (video.readyState < video.HAVE_METADATA) await next('loadedmetadata');
      const seeked = next('seeked');
      video.currentTime = 11;
      await seeked;
      const ended = next('ended');
      await video.play();
      await ended;
      return { width: video.videoWidth, seconds: Math.round(video.duration), error: video.error?.message };
    });
    expect(played).toEqual({ width: 1280, seconds: 12, error: undefined });
    expect(statuses).toContain(206);
  } finally {
    await browser.close();
    await gateway.close();
  }
});
