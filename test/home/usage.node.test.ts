import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contrastsOfTexts, HANGS_AFTER_MS, isChromiumMissing, launchChromium } from '../chromium.ts';
import { type RunningGateway, startNodeGateway } from '../gateways.ts';
import { startCall, testEnvironment } from '../support.ts';

const ALICE = 'key-of-alice-0123456789abcdef';
const BOB = 'key-of-bob-0123456789abcdef';
const ADMIN = 'key-of-the-operator-0123456789';

describe.skipIf(isChromiumMissing)('the usage page in a browser', () => {
  let gateway: RunningGateway;
  let browser: Browser;
  beforeAll(async () => {
    gateway = await startNodeGateway(
      testEnvironment({
        MCP_SERVER_API_KEYS: JSON.stringify({ alice: { key: ALICE, budget_usd_per_day: 5 }, bob: BOB }),
        MCP_ADMIN_KEY: ADMIN,
        MODEL_PRICES: JSON.stringify({ 'gpt-6-luna': 'gpt-6-luna', 'gpt-image-2': 'gpt-image-2' }),
      }),
    );
    const call = (key: string, name: string, args: object) =>
      startCall((request) => fetch(request), name, args, { url: gateway.url, headers: { authorization: `Bearer ${key}` } }).result;
    await call(ALICE, 'chat_completion', { prompt: 'Hello' });
    await call(BOB, 'generate_image', { prompt: 'a lamp', size: '64x64' });
    await call(BOB, 'list_media', {});
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await gateway?.close();
  });

  async function open(options: BrowserContextOptions = {}) {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(HANGS_AFTER_MS);
    const page = await context.newPage();
    const requests: string[] = [];
    const complaints: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(`${gateway.url}/usage`);
    return { page, requests, complaints, close: () => context.close() };
  }

  async function show(page: Page, key: string) {
    await page.getByLabel('Key', { exact: true }).fill(key);
    await page.getByRole('button', { name: 'Show' }).click();
    await page.getByRole('heading', { level: 2 }).first().waitFor();
  }
  const rowNames = (page: Page, title: string) =>
    page.getByRole('region').or(page.locator('section')).filter({ hasText: title }).getByRole('rowheader').allTextContents();

  test('shows a principal what it has used, and loads nothing from elsewhere', async () => {
    const { page, requests, complaints, close } = await open();
    await show(page, ALICE);
    expect(await page.getByRole('heading', { level: 2 }).allTextContents()).toEqual([
      'alice',
      'Budget today',
      'By day',
      'By tool',
      'By model',
    ]);
    expect(await rowNames(page, 'By tool')).toEqual(['chat_completion']);
    expect(await rowNames(page, 'By model')).toEqual(['gpt-6-luna']);
    expect(await page.locator('section').first().textContent()).toMatch(/^alice\$0\.\d+1 calls · 0 failed · [\d.]+ tokens · 0 files/);
    await expect.poll(() => page.locator('section', { hasText: 'Budget today' }).textContent()).toMatch(/of \$5\.00 spent/);
    expect(await page.locator('.chart i').count()).toBe(31);
    expect(await page.getByRole('status').textContent()).toMatch(/^alice: \$0\.\d+$/);
    await page.getByText('As a table').click();
    expect(await rowNames(page, 'By day')).toHaveLength(31);
    expect(await page.locator('body').textContent()).not.toContain('bob');
    expect(requests.filter((url) => !url.startsWith('data:'))).toEqual([`${gateway.url}/usage`, `${gateway.url}/usage?days=31`]);
    expect(complaints).toEqual([]);
    await close();
  });

  test('shows the operator all, with bars of what is chosen, over the days that are chosen', async () => {
    const { page, requests, close } = await open();
    await show(page, ADMIN);
    expect(await rowNames(page, 'By principal')).toEqual(['bob', 'alice']);
    expect(await rowNames(page, 'By model')).toEqual(['gpt-image-2', 'gpt-6-luna', 'no model']);
    const bars = () =>
      page
        .locator('section', { hasText: 'By principal' })
        .locator('.bar i')
        .evaluateAll((all) => all.map((bar) => (bar as HTMLElement).style.width));
    expect((await bars())[0]).toBe('100%');
    await page.getByLabel('Bars').selectOption('calls');
    expect(await bars()).toEqual(['100%', '50%']);
    await page.getByLabel('Days').selectOption('today');
    await expect.poll(() => page.locator('.chart').count()).toBe(0);
    expect(requests.at(-1)).toBe(`${gateway.url}/usage?days=1`);
    await close();
  });

  test('says what is wrong with a key, and shows nothing any more', async () => {
    const { page, close } = await open();
    await show(page, ALICE);
    await page.getByLabel('Key', { exact: true }).fill('wrong');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.getByRole('alert').textContent()).toContain('The key in the Authorization header is wrong.');
    expect(await page.getByRole('heading', { level: 2 }).count()).toBe(0);
    await close();
  });

  test('keeps the key nowhere', async () => {
    const { page, close } = await open();
    await show(page, ALICE);
    const kept = () => page.evaluate(() => JSON.stringify([location.href, document.cookie, { ...localStorage }, { ...sessionStorage }]));
    expect(await kept()).not.toContain(ALICE);
    await page.reload();
    expect(await page.getByLabel('Key', { exact: true }).inputValue()).toBe('');
    await close();
  });

  test.each(['light', 'dark'] as const)('in the %s, every text has a contrast of at least 4.5:1 (WCAG 2.2, 1.4.3)', async (colorScheme) => {
    const { page, close } = await open({ colorScheme });
    await show(page, ADMIN);
    const contrasts = await contrastsOfTexts(page);
    expect(contrasts.length).toBeGreaterThan(40);
    expect(contrasts.filter(({ contrast }) => contrast < 4.5)).toEqual([]);
    await close();
  });

  test.each([360, 600, 1280])('nothing overflows at a width of %i pixels', async (width) => {
    const { page, close } = await open({ viewport: { width, height: 800 } });
    await show(page, ADMIN);
    await page.getByText('As a table').click();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    await close();
  });

  test('without JavaScript it says how to get the same', async () => {
    const { page, close } = await open({ javaScriptEnabled: false });
    expect(await page.locator('noscript').textContent()).toContain('curl');
    expect(await page.getByRole('button').count()).toBe(0);
    await close();
  });
});
