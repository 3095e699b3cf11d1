import fc from 'fast-check';
import { expect, test } from 'vitest';
import { INLINE, readInlineImages } from '../../src/openai/inline-images.ts';
import { readerOf } from '../../src/streams/byte-reader.ts';

const LIMITS = { maxImages: 10, maxImageBytes: 1_000, maxTextBytes: 10_000 };

/** Reads `text`, which arrives in pieces of these sizes; the images are copied, as their memory is used again. */
async function read(text: string, sizes: number[] = [7], limits: Partial<typeof LIMITS> = {}) {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  let piece = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      const size = sizes[piece++ % sizes.length] ?? 1;
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + size));
      at += size;
    },
  });
  const images: (Uint8Array | string)[] = [];
  const json = await readInlineImages(readerOf(stream), {
    ...LIMITS,
    ...limits,
    onImage: async (index, image) => {
      images[index] = 'problem' in image ? image.problem : image.slice();
      return true;
    },
  });
  return { json: JSON.parse(json), images };
}

const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
/** Spellings of the same JSON string that encoders are known to use. */
const spellings = [
  (base64: string) => base64,
  (base64: string) => base64.replaceAll('/', '\\/'),
  (base64: string) => base64.replaceAll('+', '\\u002B').replaceAll('/', '\\u002f'),
  (base64: string) => base64.replaceAll(/.{60}/g, '$&\\n'),
  (base64: string) => `data:image/png;base64,${base64}`,
];

test('images come out as they went in, however the body is cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(bytes, fc.nat(spellings.length - 1), fc.boolean()), { minLength: 1, maxLength: 4 }),
      fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 5 }),
      fc.string({ maxLength: 40 }),
      fc.boolean(),
      async (given, sizes, prompt, indented) => {
        const data = given.map(([, , revised], index) => ({ b64_json: `@${index}@`, ...(revised && { revised_prompt: prompt }) }));
        let text = JSON.stringify({ created: 1, [prompt]: prompt, data, usage: { total_tokens: 3 } }, null, indented ? 2 : 0);
        given.forEach(([image, spelling], index) => {
          text = text.replace(`@${index}@`, () => spellings[spelling]?.(image.toBase64()) ?? '');
        });
        const result = await read(text, sizes);
        expect(result.images).toEqual(given.map(([image]) => new Uint8Array(image)));
        const expected = data.map((entry, index) => ({ ...entry, b64_json: `${INLINE}${index}` }));
        expect(result.json).toEqual({
          ...JSON.parse(JSON.stringify({ created: 1, [prompt]: prompt })),
          data: expected,
          usage: { total_tokens: 3 },
        });
      },
    ),
    { numRuns: 300 },
  );
});

test('JSON without images is read as it is', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue({ maxDepth: 4 }), fc.integer({ min: 1, max: 50 }), async (value, size) => {
      expect((await read(JSON.stringify(value), [size])).json).toEqual(JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 300 },
  );
});

test('URLs stay in the JSON, null and empty strings too', async () => {
  const data = [{ url: 'https://example.com/a.png', b64_json: null }, { b64_json: '', url: 'http://x/"quoted\\"' }, { url: '' }];
  for (const size of [1, 2, 3, 5, 64]) expect(await read(JSON.stringify({ data }), [size])).toEqual({ json: { data }, images: [] });
});

test('a data: URL is an image', async () => {
  const { json, images } = await read('{"data":[{"url":"data:image/png;base64,AQID"}]}', [3]);
  expect(json).toEqual({ data: [{ url: `${INLINE}0` }] });
  expect(images).toEqual([new Uint8Array([1, 2, 3])]);
});

test('images beyond the asked ones are not decoded', async () => {
  const { json, images } = await read('{"data":[{"b64_json":"AQID"},{"b64_json":"BAUG"},{"b64_json":"BwgJ"}]}', [5], { maxImages: 1 });
  expect(images).toEqual([new Uint8Array([1, 2, 3])]);
  expect(json.data).toHaveLength(3);
});

test('a bad image does not cost the others', async () => {
  const { images } = await read(`{"data":[{"b64_json":"!!!!"},{"b64_json":"${'A'.repeat(2000)}"},{"b64_json":"AQID"}]}`, [50]);
  expect(images).toEqual([expect.stringContaining('base64'), expect.stringContaining('larger'), new Uint8Array([1, 2, 3])]);
});

test('the text around the images is bounded', async () => {
  await expect(read(`{"data":[],"note":"${'x'.repeat(20_000)}"}`)).rejects.toThrow(RangeError);
});
