import sharp from 'sharp';
import { expect, test } from 'vitest';
import { sceneSvg } from './scene.ts';

const scene = (prompt: string, options: { index?: number; width?: number; isTransparent?: boolean } = {}) =>
  sceneSvg({ prompt, index: 0, width: 512, height: 384, isTransparent: false, ...options });
const stats = async (svg: string) => sharp(await sharp(Buffer.from(svg)).png().toBuffer()).stats();

test('the same prompt and index give the same scene; another prompt or index another one', () => {
  expect(scene('a lighthouse')).toBe(scene('a lighthouse'));
  expect(scene('a lighthouse', { index: 1 })).not.toBe(scene('a lighthouse'));
  expect(scene('a lighthouse at dawn')).not.toBe(scene('a lighthouse'));
});

test('words of the prompt steer it: a night is darker than a day', async () => {
  const brightness = async (prompt: string) => (await stats(scene(prompt))).channels.slice(0, 3).reduce((sum, { mean }) => sum + mean, 0);
  expect(await brightness('mountains at night')).toBeLessThan((await brightness('mountains on a sunny day')) / 2);
});

test('a transparent background stays transparent, any other is opaque', async () => {
  expect((await stats(scene('a cat', { isTransparent: true }))).isOpaque).toBe(false);
  expect((await stats(scene('a cat'))).isOpaque).toBe(true);
});

test('the prompt is its caption, whatever is in it; small images have none', async () => {
  const svg = scene('<b> & "quotes" \u0000\ud800');
  expect(svg).toContain('&#60;b&#62; &#38; &#34;quotes&#34;');
  await expect(stats(svg)).resolves.toBeDefined();
  expect(scene('a cat', { width: 64 })).not.toContain('<text');
});
