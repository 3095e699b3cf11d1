import { expect, inject, test } from 'vitest';
import { inspectImage } from '../../src/media/formats.ts';
import { newAccount } from '../support.ts';

/** An image made by sharp, in the requested size and format. */
async function imageOf(size: string, output_format: string): Promise<Uint8Array> {
  const response = await fetch(`${inject('openaiUrl')}/v1/images/generations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${newAccount()}` },
    body: JSON.stringify({ model: 'gpt-image-2', prompt: 'a test', size, output_format }),
  });
  const { data } = (await response.json()) as { data: [{ b64_json: string }] };
  return Uint8Array.fromBase64(data[0].b64_json);
}

test.each([
  ['png', 'image/png', 'png'],
  ['jpeg', 'image/jpeg', 'jpg'],
  ['webp', 'image/webp', 'webp'],
])('%s is recognised, with its size', async (name, contentType, extension) => {
  expect(inspectImage(await imageOf('320x160', name))).toEqual({ format: { name, contentType, extension }, width: 320, height: 160 });
});

test('a GIF is recognised', () => {
  const gif = Uint8Array.fromBase64('R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==');
  expect(inspectImage(gif)).toEqual({ format: { name: 'gif', contentType: 'image/gif', extension: 'gif' }, width: 1, height: 1 });
});

test.each([
  ['nothing', ''],
  ['text', 'hello'],
  ['HTML', '<!doctype html><html></html>'],
  ['SVG', '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><script>alert(1)</script></svg>'],
  ['a PDF', '%PDF-1.7'],
  ['a WAV file, which is a RIFF file as WebP is', 'RIFF\0\0\0\0WAVEfmt '],
])('%s is not an image', (_, text) => {
  expect(inspectImage(new TextEncoder().encode(text))).toBeUndefined();
});

test('a PNG without a size is not an image', async () => {
  const png = await imageOf('320x160', 'png');
  expect(inspectImage(png.fill(0, 16, 24))).toBeUndefined();
});

test('a PNG truncated within its header is not an image', async () => {
  expect(inspectImage((await imageOf('320x160', 'png')).subarray(0, 12))).toBeUndefined();
});
