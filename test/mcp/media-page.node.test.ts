import type { Client } from '@modelcontextprotocol/client';
import type { McpUiHostCapabilities, McpUiResourceMeta } from '@modelcontextprotocol/ext-apps/app-bridge';
import type { Browser, Frame } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { contrastsOfTexts, HANGS_AFTER_MS, isChromiumMissing, launchChromium } from '../chromium.ts';
import { CLOCK_SPEED, createSleepClock, createTestApp, eventually, type ToolResult, testEnvironment, testRuntime } from '../support.ts';
import { type ServedApp, serveApp } from './app-host.ts';
import type { HostOptions } from './app-host-page.ts';
import { connectClient } from './sdk-client.ts';

const CAPABILITIES: McpUiHostCapabilities = { openLinks: {}, serverTools: {}, updateModelContext: { text: {} } };
const LIGHT = 'rgb(255, 255, 255)';
const DARK = 'rgb(18, 18, 18)';
/** What the page pauses before it asks for a job. */
const PAUSE_MS = 5_000;
const HOSTILE = '<img src=x onerror="window.isHacked = true"><script>window.isHacked = true</script>';

type Options = Readonly<{
  capabilities?: McpUiHostCapabilities;
  context?: HostOptions['context'];
  colorScheme?: 'light' | 'dark';
  width?: number;
}>;

describe.skipIf(isChromiumMissing)('the media app in a host', () => {
  const gateway = createTestApp(testEnvironment(), testRuntime(createSleepClock(CLOCK_SPEED)));
  const stored = inject('storage').containerUrl;
  let client: Client;
  let browser: Browser;
  let served: ServedApp;
  beforeAll(async () => {
    client = await connectClient(gateway);
    const [content] = (await client.readResource({ uri: 'ui://gateway/media.html' })).contents;
    if (!content || !('text' in content)) throw new Error('The app is not text.');
    served = await serveApp(content.text, content._meta?.ui as McpUiResourceMeta);
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await served?.close();
  });

  /** A host that shows the app, and forwards the app's calls to the gateway. */
  async function open({ capabilities = CAPABILITIES, context = {}, colorScheme = 'light', width = 800 }: Options = {}) {
    const browserContext = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
    browserContext.setDefaultTimeout(HANGS_AFTER_MS);
    await browserContext.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: served.hostUrl });
    const page = await browserContext.newPage();
    await page.clock.install();
    await page.clock.pauseAt(Date.now() + 60_000);
    const errors: string[] = [];
    const requests: string[] = [];
    const blocked: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('request', (request) => requests.push(request.url()));
    page.on('requestfailed', (request) => request.failure()?.errorText === 'csp' && blocked.push(request.url()));
    await page.exposeFunction('callTool', (params: { name: string }) => client.callTool(params));
    await page.goto(served.hostUrl);
    await page.evaluate((options) => window.startHost(options), { appUrl: served.appUrl, capabilities, context });
    return {
      page,
      view: page.frames()[1] as Frame,
      errors,
      requests,
      blocked,
      input: (args: Record<string, unknown>) => page.evaluate((given) => window.appHost.input(given), args),
      result: (result: object) => page.evaluate((given) => window.appHost.result(given), result),
      asked: (method: string) =>
        page.evaluate((wanted) => window.appHost.asked.filter((one) => one.method === wanted).map(({ params }) => params), method),
      close: () => browserContext.close(),
    };
  }
  type Host = Awaited<ReturnType<typeof open>>;

  /** Calls a tool as a host does: the app is told what is asked, and the result. */
  async function show(host: Host, name: string, args: Record<string, unknown>): Promise<ToolResult['structuredContent']> {
    await host.input(args);
    const result = (await client.callTool({ name, arguments: args })) as unknown as ToolResult;
    await host.result(result);
    return result.structuredContent;
  }

  const status = ({ view }: Host) => view.locator('p[role=status]');

  test('shows images with captions, and opens and copies their links', async () => {
    const host = await open();
    const { images } = await show(host, 'generate_image', { prompt: 'A lighthouse', n: 2, size: '1024x768' });
    const second = host.view.getByRole('figure').nth(1);
    const picture = second.getByRole('img', { name: 'image 2 of 2: A lighthouse' });
    await eventually(() => picture.evaluate((img: HTMLImageElement) => img.naturalWidth === 1024));
    expect(await second.locator('figcaption').textContent()).toMatch(/^image 2 of 2 · 1024 × 768 · \d+ kB · gpt-image-2$/);
    await second.getByRole('link', { name: 'Open image 2 of 2' }).click();
    expect(await host.asked('ui/open-link')).toEqual([{ url: images[1].url }]);
    await second.getByRole('button', { name: 'Copy link to image 2 of 2' }).click();
    await second.getByText('Copied.').waitFor();
    expect(await host.page.evaluate(() => navigator.clipboard.readText())).toBe(images[1].url);
    expect(host.errors).toEqual([]);
    await host.close();
  });

  test('plays speech, with what is said in words', async () => {
    const host = await open();
    await show(host, 'synthesize_speech', { input: 'Welcome aboard.', voice: 'marin' });
    const player = host.view.locator('audio');
    await eventually(() => player.evaluate((audio: HTMLAudioElement) => audio.duration > 0));
    expect(await player.getAttribute('aria-label')).toBe('audio: Welcome aboard.');
    expect(await player.evaluate((audio: HTMLAudioElement) => audio.controls)).toBe(true);
    expect(await host.view.locator('p').first().textContent()).toBe('Welcome aboard.');
    expect(await host.view.locator('figcaption').textContent()).toMatch(/^audio · marin · \d+ kB · gpt-4o-mini-tts$/);
    expect(await status(host).textContent()).toContain('gpt-audio-1.5');
    await host.close();
  });

  test('plays a video, which has a poster', async () => {
    await gateway.setVideos({ jobSeconds: 1, speed: CLOCK_SPEED });
    const host = await open();
    const { thumbnail } = await show(host, 'generate_video', { prompt: 'Waves', seconds: 4, size: '1280x720' });
    const player = host.view.locator('video');
    await eventually(() => player.evaluate((video: HTMLVideoElement) => video.videoWidth === 1280 && video.duration > 3));
    expect(await player.getAttribute('poster')).toBe(thumbnail.url);
    expect(await player.getAttribute('aria-label')).toBe('video: Waves');
    expect(host.requests).toContain(thumbnail.url);
    expect(await host.view.locator('figcaption').textContent()).toMatch(/^video · 4 s · \d+ kB · sora-2$/);
    await host.close();
  });

  test('shows a list of stored media, each with its model and day', async () => {
    const host = await open();
    const { images } = await show(host, 'generate_image', { prompt: 'A lighthouse' });
    const media = [
      { ...images[0], model: 'gpt-image-2', created_at: '2026-11-20T10:00:00Z' },
      {
        url: `${stored}/text.txt`,
        content_type: 'text/plain',
        bytes: 2_500_000,
        model: 'gpt-transcribe',
        created_at: '2026-11-21T10:00:00Z',
      },
    ];
    await host.result({ structuredContent: { media } });
    await host.view.getByRole('figure').nth(1).waitFor();
    expect(await host.view.locator('figcaption').allTextContents()).toEqual([
      expect.stringMatching(/^image 1 of 2 · .* · gpt-image-2 · .*2026/),
      expect.stringMatching(/^file 2 of 2 · 2\.5 MB · gpt-transcribe · .*2026/),
    ]);
    await host.view.getByRole('link', { name: 'Open file 2 of 2' }).waitFor();
    await host.close();
  });

  test('shows that a tool is at work, then its error', async () => {
    const host = await open();
    const bar = host.view.getByRole('progressbar', { name: 'Working…' });
    await host.input({ prompt: 'A lighthouse' });
    await bar.waitFor();
    expect(await bar.getAttribute('value')).toBe(null);
    await host.result({ isError: true, content: [{ type: 'text', text: 'The account has no credit. (upstream_status)' }] });
    await host.view.getByText('The account has no credit.').waitFor();
    expect(await bar.isVisible()).toBe(false);
    await host.page.evaluate(() => window.appHost.bridge.sendToolCancelled({ reason: 'user action' }));
    await host.view.getByText('Cancelled. user action').waitFor();
    await host.close();
  });

  describe('a job that still runs', () => {
    async function startHeldJob(host: Host): Promise<string> {
      await gateway.fail({ at: '/images', hold: 'all' });
      const { job_id } = await show(host, 'generate_image', { prompt: `A lighthouse ${crypto.randomUUID()}`, wait_seconds: 0 });
      return job_id;
    }

    test('is followed to its end, of which the model is told', async () => {
      const host = await open();
      const jobId = await startHeldJob(host);
      await host.view.getByRole('progressbar', { name: 'Still running. The result will appear here.' }).waitFor();
      await host.page.clock.fastForward(PAUSE_MS - 1);
      expect(await host.asked('tools/call')).toEqual([]);
      await host.page.clock.fastForward(1);
      await eventually(async () => (await host.asked('tools/call')).length === 1);
      expect(await host.asked('tools/call')).toEqual([{ name: 'generate_image', arguments: { job_id: jobId, wait_seconds: 20 } }]);
      await gateway.release();
      await eventually(async () => {
        await host.page.clock.fastForward(PAUSE_MS);
        return host.view.getByRole('img').isVisible();
      });
      const url = await host.view.getByRole('img').getAttribute('src');
      expect(await host.asked('ui/update-model-context')).toEqual([
        { content: [{ type: 'text', text: expect.stringMatching(new RegExp(`${jobId}: ${url} `)) }] },
      ]);
      await host.close();
    });

    test.each([
      ['serverTools', { openLinks: {}, updateModelContext: {} }],
      ['updateModelContext', { openLinks: {}, serverTools: {} }],
    ])('is not followed in a host without %s', async (_, capabilities) => {
      const host = await open({ capabilities });
      await startHeldJob(host);
      await host.view.getByText('Still running. Ask for the result in the chat.').waitFor();
      await host.page.clock.fastForward(PAUSE_MS);
      expect(await host.asked('tools/call')).toEqual([]);
      await gateway.release();
      await host.close();
    });

    test('is not followed any longer once the app is closed', async () => {
      const host = await open();
      await startHeldJob(host);
      await host.view.getByText('The result will appear here.').waitFor();
      expect(await host.page.evaluate(() => window.appHost.bridge.teardownResource({}))).toEqual({});
      await host.page.clock.fastForward(PAUSE_MS);
      expect(await host.asked('tools/call')).toEqual([]);
      await gateway.release();
      await host.close();
    });

    test('has a percentage', async () => {
      const host = await open();
      const next_step = '40% complete: call generate_video with only job_id "job-1"';
      await host.result({ structuredContent: { status: 'in_progress', job_id: 'job-1', progress: 40, next_step } });
      const bar = host.view.getByRole('progressbar', { name: /Still running, 40% complete/ });
      expect(await bar.getAttribute('value')).toBe('40');
      await host.close();
    });
  });

  test('has a link in place of a medium that does not load', async () => {
    const host = await open();
    const images = [
      { url: `${stored}/missing.png`, content_type: 'image/png' },
      { url: 'https://elsewhere.example/blocked.png', content_type: 'image/png' },
      { url: `${stored}/missing.mp4`, content_type: 'video/mp4' },
    ];
    await host.result({ structuredContent: { images } });
    await host.view.getByText('This video cannot be shown here.').waitFor();
    await host.view.getByText('This image cannot be shown here.').nth(1).waitFor();
    expect(await host.view.locator('img, video').count()).toBe(0);
    expect(host.blocked).toEqual([images[1]?.url]);
    await host.view.getByRole('link', { name: 'Open it in the browser.' }).nth(1).click();
    expect(await host.asked('ui/open-link')).toEqual([{ url: images[1]?.url }]);
    await host.close();
  });

  test('what is given as text stays text', async () => {
    const host = await open();
    await host.input({ prompt: HOSTILE });
    const image = { url: `${stored}/missing.png`, content_type: 'text/html', revised_prompt: HOSTILE, warning: HOSTILE };
    await host.result({ structuredContent: { images: [image], failures: [HOSTILE], model: HOSTILE } });
    await host.view.getByRole('figure').waitFor();
    expect(await host.view.locator('body').textContent()).toContain(HOSTILE);
    expect(await host.view.evaluate(() => document.querySelectorAll('img, script').length)).toBe(1);
    expect(await host.view.evaluate(() => 'isHacked' in window)).toBe(false);
    await host.close();
  });

  test.each(['javascript:window.isHacked=true', 'data:image/png;base64,AAAA', 'http://elsewhere.example/a.png', 'blob:x', '//x/y', 5])(
    '%s is neither loaded nor linked',
    async (url) => {
      const host = await open();
      await host.result({ structuredContent: { video: { url, content_type: 'video/mp4' }, thumbnail: { url } } });
      await host.view.getByRole('figure').waitFor();
      expect(await host.view.locator('a, button, video').count()).toBe(0);
      await host.close();
    },
  );

  test('only the host is heard', async () => {
    const host = await open();
    await host.input({ prompt: 'A lighthouse' });
    await host.view.getByText('Working…').waitFor();
    await host.view.evaluate(() => {
      const heard = new Promise((resolve) => window.addEventListener('message', resolve, { once: true }));
      window.postMessage({ jsonrpc: '2.0', method: 'ui/notifications/tool-cancelled', params: { reason: 'foreign' } }, '*');
      return heard.then(() => {});
    });
    expect(await status(host).textContent()).toBe('Working…');
    await host.close();
  });

  test('the keyboard alone opens and copies', async () => {
    const host = await open();
    const { images } = await show(host, 'generate_image', { prompt: 'A lighthouse' });
    await host.view.getByRole('link').focus();
    await host.page.keyboard.press('Enter');
    await eventually(async () => (await host.asked('ui/open-link')).length === 1);
    await host.page.keyboard.press('Tab');
    expect(await host.view.evaluate(() => document.activeElement?.matches(':focus-visible'))).toBe(true);
    await host.page.keyboard.press('Enter');
    await host.view.getByText('Copied.').waitFor();
    expect(await host.page.evaluate(() => navigator.clipboard.readText())).toBe(images[0].url);
    await host.close();
  });

  test('where nothing can be copied or opened, the link is selected', async () => {
    const host = await open({ capabilities: { openLinks: {} } });
    const { images } = await show(host, 'generate_image', { prompt: 'A lighthouse' });
    await host.view.evaluate(() => {
      navigator.clipboard.writeText = () => Promise.reject(new Error('denied'));
      document.execCommand = () => false;
    });
    await host.view.getByRole('button').click();
    await host.view.getByText('Press Ctrl+C').waitFor();
    expect(await host.view.evaluate(() => getSelection()?.toString())).toBe(images[0].url);
    await host.page.evaluate(() => {
      window.appHost.bridge.onopenlink = async () => ({ isError: true });
    });
    await host.view.getByRole('link').click();
    await host.view.getByText('The host did not open it.').waitFor();
    await host.close();
  });

  test('takes the theme of the host, or else that of the system', async () => {
    const background = ({ view }: Host) => view.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const host = await open({ context: { theme: 'dark' }, colorScheme: 'light' });
    expect(await background(host)).toBe(DARK);
    await host.page.evaluate(() => window.appHost.bridge.setHostContext({ theme: 'light' }));
    await eventually(async () => (await background(host)) === LIGHT);
    await host.close();
    const plain = await open({ colorScheme: 'dark' });
    expect(await background(plain)).toBe(DARK);
    await plain.close();
  });

  test.each(['light', 'dark'] as const)('in the %s, every text has a contrast of at least 4.5:1 (WCAG 2.2, 1.4.3)', async (theme) => {
    const host = await open({ context: { theme } });
    await show(host, 'synthesize_speech', { input: 'Welcome aboard.' });
    await host.view.getByRole('button').click();
    await host.view.getByText('Copied.').waitFor();
    const contrasts = await contrastsOfTexts(host.view);
    expect(contrasts.length).toBeGreaterThan(5);
    expect(contrasts.filter(({ contrast }) => contrast < 4.5)).toEqual([]);
    await host.close();
  });

  test.each([280, 1280])('reports its height and fits a width of %i pixels', async (width) => {
    const host = await open({ width });
    await show(host, 'generate_image', { prompt: `A lighthouse ${'x'.repeat(400)}`, size: '1024x1536' });
    const picture = host.view.getByRole('img');
    await eventually(() => picture.evaluate((img: HTMLImageElement) => img.complete));
    const content = () => host.view.evaluate(() => document.documentElement.getBoundingClientRect().height);
    await eventually(async () => (await host.page.evaluate(() => window.appHost.height())) === Math.ceil(await content()));
    expect(await host.view.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    const { width: shownWidth, height } = (await picture.boundingBox()) ?? { width: 0, height: 0 };
    expect(shownWidth / height).toBeCloseTo(1024 / 1536, 2);
    await host.close();
  });
});
