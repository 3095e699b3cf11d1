import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isChromiumMissing, launchChromium } from './chromium.ts';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from './gateways.ts';
import { newFolder } from './media/folder.ts';
import { CLIENT_HEADERS, eventually, newAccount, readAnswer, servedEnvironment, setVideos, testEnvironment } from './support.ts';

async function callTool({ url }: RunningGateway, name: string, args: object) {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } });
  const { result } = await readAnswer(await fetch(`${url}/mcp`, { method: 'POST', headers: CLIENT_HEADERS, body }));
  // biome-ignore lint/suspicious/noExplicitAny: of any tool.
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

test('the built Worker serves media of its bucket, whole and in ranges', async () => {
  const { MEDIA_DIR: _, HOST: __, MCP_PUBLIC_URL: ___, ...env } = await servedEnvironment();
  const gateway = await startWorkerdGateway({ ...env, MEDIA_STORE: 'r2', MCP_PUBLIC_URL: 'http://localhost' });
  const { structuredContent } = await callTool(gateway, 'generate_image', { prompt: 'A lighthouse' });
  const [{ url, bytes }] = structuredContent.images;
  const target = gateway.url + new URL(url).pathname;
  const response = await fetch(target);
  const content = await response.bytes();
  expect([content.byteLength, response.headers.get('content-length')]).toEqual([bytes, String(bytes)]);
  expect((await fetch(target, { method: 'HEAD' })).headers.get('content-length')).toBe(String(bytes));
  const part = await fetch(target, { headers: { range: 'bytes=1-3' } });
  expect([part.status, await part.text()]).toEqual([206, 'PNG']);
  await gateway.close();
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
