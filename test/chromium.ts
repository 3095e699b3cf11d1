import { existsSync } from 'node:fs';
import { type Browser, chromium, type Frame, type Page } from 'playwright-core';

const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
/** Whether there is no browser, so that tests in one are skipped. */
export const isChromiumMissing = !existsSync(executablePath);
if (isChromiumMissing)
  console.warn(`Skipped: tests in a browser, as there is no ${executablePath}. Install Chromium, or set CHROMIUM_PATH.`);

/** Ends what hangs; nothing takes as long on any machine. */
export const HANGS_AFTER_MS = 120_000;

/** Without a sandbox, as in containers; and nothing that the browser itself would ask of the network. */
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launchChromium(...args: readonly string[]): Promise<Browser> {
  return chromium.launch({ executablePath, args: [...ARGS, ...args], timeout: HANGS_AFTER_MS });
}

/** Each element that has text of its own, with the contrast between its colour and the background behind it. */
export function contrastsOfTexts(page: Page | Frame): Promise<{ text: string; contrast: number }[]> {
  return page.evaluate(() => {
    const channels = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
    const luminance = (color: string) => {
      const [r = 0, g = 0, b = 0] = channels(color).map((value) => {
        const share = value / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const backgroundOf = (element: Element): string => {
      const { backgroundColor } = getComputedStyle(element);
      return channels(backgroundColor)[3] === 0 && element.parentElement ? backgroundOf(element.parentElement) : backgroundColor;
    };
    const hasText = (element: Element) =>
      [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.nodeValue?.trim());
    return [...document.querySelectorAll('body *:not(script)')].filter(hasText).map((element) => {
      const [one, other] = [luminance(getComputedStyle(element).color), luminance(backgroundOf(element))];
      const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      return { text: element.textContent?.slice(0, 40) ?? '', contrast };
    });
  });
}
