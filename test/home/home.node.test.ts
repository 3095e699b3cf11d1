import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contrastsOfTexts, HANGS_AFTER_MS, isChromiumMissing, launchChromium } from '../chromium.ts';
import { type RunningGateway, startNodeGateway } from '../gateways.ts';
import { CLIENT_KEY, testEnvironment } from '../support.ts';

/** A name that resolves here but is not a secure context, so that the page has no clipboard. */
const INSECURE_HOST = 'gateway.test';
const CLIENTS = ['VS Code', 'Claude Code', 'Claude Desktop', 'Cursor', 'Other clients', 'Older clients', 'curl'];

describe.skipIf(isChromiumMissing)('the home page in a browser', () => {
  let gateway: RunningGateway;
  let browser: Browser;
  beforeAll(async () => {
    gateway = await startNodeGateway(testEnvironment({ MCP_ALLOWED_HOSTS: `127.0.0.1,${INSECURE_HOST}` }));
    browser = await launchChromium(`--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`);
  });
  afterAll(async () => {
    await browser?.close();
    await gateway?.close();
  });

  /** The open page, its requests and its console messages. */
  async function open(options: BrowserContextOptions = {}, url = gateway.url) {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(HANGS_AFTER_MS);
    if (url === gateway.url) await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: url });
    const page = await context.newPage();
    const requests: string[] = [];
    const complaints: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(url);
    return { page, requests, complaints, close: () => context.close() };
  }

  const section = (page: Page, client: string) =>
    page.locator('details').filter({ has: page.getByRole('heading', { name: client, exact: true }) });
  const openAll = (page: Page) =>
    page.evaluate(() => {
      for (const details of document.querySelectorAll('details')) details.open = true;
    });

  test('makes a single request and logs nothing', async () => {
    const { page, requests, complaints, close } = await open();
    await openAll(page);
    await page.waitForLoadState('networkidle');
    expect(requests.filter((url) => !url.startsWith('data:'))).toEqual([`${gateway.url}/`]);
    expect(complaints).toEqual([]);
    await close();
  });

  test('hands over a file with the key, and says what is wrong', async () => {
    const { page, close } = await open();
    const png = { name: 'a.png', mimeType: 'image/png', buffer: await page.screenshot() };
    const upload = async (key: string, file: typeof png) => {
      await page.getByLabel('MCP_SERVER_API_KEY').fill(key);
      await page.getByLabel('File', { exact: true }).setInputFiles(file);
      await page.getByRole('button', { name: 'Upload', exact: true }).click();
    };
    await upload('wrong', png);
    await expect.poll(() => page.getByRole('alert').textContent()).toContain('The key in the Authorization header is wrong.');
    await upload(CLIENT_KEY, { ...png, buffer: Buffer.from('<svg/>') });
    await expect.poll(() => page.getByRole('alert').textContent()).toContain('Only images (PNG');
    await upload(CLIENT_KEY, png);
    await expect.poll(() => page.getByRole('alert').textContent()).toBe('Stored.');
    const url = (await page.locator('form code').textContent()) ?? '';
    expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(png.buffer)).toBe(true);
    await close();
  });

  test('runs no script but its own', async () => {
    const { page, complaints, close } = await open();
    await page.evaluate(() => {
      const script = document.createElement('script');
      script.text = 'document.title = "foreign"';
      document.body.append(script);
    });
    expect(await page.title()).toBe('OpenAI MCP Gateway');
    expect(complaints).toEqual([expect.stringContaining('Content Security Policy')]);
    await close();
  });

  test('every button copies its own snippet', async () => {
    const { page, close } = await open();
    await openAll(page);
    for (const name of ['the URL of the MCP endpoint', ...CLIENTS.map((client) => `the snippet for ${client}`)]) {
      const button = page.getByRole('button', { name: `Copy ${name}`, exact: true });
      const text = await button.locator('..').locator('code').textContent();
      await button.click();
      await page.getByRole('button', { name: `Copied ${name}`, exact: true }).waitFor();
      expect(await page.getByRole('status').textContent()).toBe('Copied');
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(text);
    }
    await close();
  });

  test('the keyboard alone opens and copies a snippet', async () => {
    const { page, close } = await open();
    await section(page, 'VS Code').getByRole('button').focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Copied the snippet for Claude Code' }).waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toContain('claude mcp add --transport http openai');
    await close();
  });

  test('where the clipboard is unavailable, a button selects its snippet', async () => {
    const { page, complaints, close } = await open({}, gateway.url.replace('127.0.0.1', INSECURE_HOST));
    await section(page, 'VS Code').getByRole('button').click();
    await page.getByRole('button', { name: 'Selected the snippet for VS Code' }).waitFor();
    const selected = await page.evaluate(() => getSelection()?.toString() ?? '');
    expect(JSON.parse(selected)).toMatchObject({ servers: { openai: { url: expect.stringContaining(INSECURE_HOST) } } });
    expect(complaints).toEqual([]);
    await close();
  });

  test('the snippets have the URL of this page, and no key', async () => {
    const { page, close } = await open();
    const texts = await Promise.all(CLIENTS.map((client) => section(page, client).locator('code').textContent()));
    const [vsCode, claudeCode, claudeDesktop, cursor, other, older, curl] = texts.map((text) => text ?? '');
    const url = `${gateway.url}/mcp`;
    const headers = { Authorization: 'Bearer <MCP_SERVER_API_KEY>' };
    expect(JSON.parse(vsCode ?? '')).toEqual({
      inputs: [{ type: 'promptString', id: 'openai-gateway-key', description: 'MCP_SERVER_API_KEY', password: true }],
      servers: { openai: { type: 'http', url, headers: { Authorization: `Bearer \${input:openai-gateway-key}` } } },
    });
    expect(claudeCode).toBe(`claude mcp add --transport http openai "${url}" --header "Authorization: Bearer <MCP_SERVER_API_KEY>"`);
    const args = ['-y', 'mcp-remote', url, '--header', `Authorization:\${AUTH_HEADER}`];
    expect(JSON.parse(claudeDesktop ?? '')).toEqual({
      mcpServers: { openai: { command: 'npx', args, env: { AUTH_HEADER: headers.Authorization } } },
    });
    expect(JSON.parse(cursor ?? '')).toEqual({ mcpServers: { openai: { url, headers } } });
    expect(JSON.parse(other ?? '')).toEqual({ mcpServers: { openai: { type: 'http', url, headers } } });
    expect(JSON.parse(older ?? '')).toEqual({ mcpServers: { openai: { type: 'sse', url: `${gateway.url}/sse`, headers } } });
    expect(curl).toContain(`curl "${url}"`);
    expect(await page.content()).not.toContain(CLIENT_KEY);
    await close();
  });

  test.each([360, 1280])('nothing overflows at a width of %i pixels', async (width) => {
    const { page, close } = await open({ viewport: { width, height: 800 } });
    await openAll(page);
    const sizes = await page.evaluate(() => ({
      content: document.documentElement.scrollWidth,
      snippets: [...document.querySelectorAll('pre')].filter((pre) => pre.scrollWidth > pre.clientWidth).length,
    }));
    expect(sizes).toEqual({ content: width, snippets: 0 });
    await close();
  });

  test.each([
    ['light', 'rgb(255, 255, 255)'],
    ['dark', 'rgb(21, 24, 28)'],
  ] as const)('in the %s, every text has a contrast of at least 4.5:1 (WCAG 2.2, 1.4.3)', async (colorScheme, background) => {
    const { page, close } = await open({ colorScheme });
    await openAll(page);
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe(background);
    const contrasts = await contrastsOfTexts(page);
    expect(contrasts.length).toBeGreaterThan(40);
    expect(contrasts.filter(({ contrast }) => contrast < 4.5)).toEqual([]);
    await close();
  });

  test('headings go down one level at a time', async () => {
    const { page, close } = await open();
    const levels = await page.evaluate(() => [...document.querySelectorAll('h1, h2, h3, h4')].map(({ tagName }) => Number(tagName[1])));
    expect(levels.filter((level) => level === 1)).toHaveLength(1);
    levels.forEach((level, index) => {
      expect(level - (levels[index - 1] ?? 0)).toBeLessThanOrEqual(1);
    });
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
    await close();
  });

  test('without JavaScript there are no buttons, and snippets open', async () => {
    const { page, close } = await open({ javaScriptEnabled: false });
    expect(await page.getByRole('button').count()).toBe(0);
    const cursor = section(page, 'Cursor');
    await cursor.locator('summary').click();
    expect(await cursor.locator('pre').isVisible()).toBe(true);
    await close();
  });
});
