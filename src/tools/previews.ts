import type { ContentBlock } from '@modelcontextprotocol/server';
import { withAdmitted } from '../admission.ts';
import { GatewayError } from '../errors.ts';
import { MAX_PREVIEW_BYTES, MAX_PREVIEW_SIDE_PIXELS, MAX_PREVIEWED_PIXELS, PREVIEWS_TIMEOUT_MS } from '../limits.ts';
import { DONE, type ShrunkImage } from '../ports.ts';
import type { ToolContext } from './tool.ts';

/** A stored picture in a result. */
export type Picture = Readonly<{ url: string; bytes: number; width: number; height: number }>;

/** Until one is small enough: at the last, even noise is. */
const TRIES = [
  { sidePixels: MAX_PREVIEW_SIDE_PIXELS, quality: 75 },
  { sidePixels: MAX_PREVIEW_SIDE_PIXELS, quality: 50 },
  { sidePixels: 384, quality: 50 },
  { sidePixels: 256, quality: 50 },
  { sidePixels: 128, quality: 50 },
];

const UNREADABLE = 'its file could not be read';

/**
 * A small copy of each picture, in their order, for a model that cannot open its URL; or, in a last text, why there is
 * none. Never throws, as the pictures themselves are made and stored.
 */
export async function previewBlocks(pictures: readonly Picture[], context: ToolContext): Promise<ContentBlock[]> {
  const previews = await makePreviews(pictures, context);
  const problems = new Map<string, number[]>();
  const blocks = previews.flatMap((preview, index): ContentBlock[] => {
    if (!('problem' in preview))
      return [{ type: 'image', data: preview.bytes.toBase64(), mimeType: preview.contentType, annotations: { audience: ['assistant'] } }];
    problems.set(preview.problem, [...(problems.get(preview.problem) ?? []), index + 1]);
    return [];
  });
  const lines = [...problems].map(([problem, numbers]) => `No preview of image ${numbers.join(', ')}: ${problem}.`);
  return lines.length === 0 ? blocks : [...blocks, { type: 'text', text: lines.join('\n') }];
}

/** One after the other, for as long as the client is there and the time lasts. */
async function makePreviews(pictures: readonly Picture[], context: ToolContext): Promise<ShrunkImage[]> {
  const { clock } = context;
  const previews: ShrunkImage[] = [];
  const over = new AbortController();
  const signal = AbortSignal.any([context.signal, over.signal]);
  async function makeAll(): Promise<void> {
    for (const picture of pictures) if (!signal.aborted) previews.push(await makePreview(picture, { ...context, signal }));
  }
  await Promise.race([makeAll(), clock.timeLimit(PREVIEWS_TIMEOUT_MS, over.signal).catch(() => {})]);
  over.abort(DONE);
  return pictures.map((_, index) => previews[index] ?? { problem: 'there was not enough time' });
}

async function makePreview({ url, bytes, width, height }: Picture, context: ToolContext): Promise<ShrunkImage> {
  const { admission, media, shrinkImage, signal, log } = context;
  if (width * height > MAX_PREVIEWED_PIXELS) return { problem: `it has more than ${MAX_PREVIEWED_PIXELS} pixels` };
  try {
    return await withAdmitted(admission, signal, async (reserve) => {
      // Its copy on the way to the decoder, too.
      reserve(2 * bytes);
      const picture = await media.read(url, bytes);
      if (!picture) return { problem: UNREADABLE };
      for (const options of TRIES) {
        if (signal.aborted) break;
        const shrunk = await shrinkImage(picture, options);
        if ('problem' in shrunk || shrunk.bytes.byteLength <= MAX_PREVIEW_BYTES) return shrunk;
      }
      return { problem: `none is as small as ${MAX_PREVIEW_BYTES} bytes` };
    });
  } catch (error) {
    if (error instanceof GatewayError && error.failure.kind === 'busy') return { problem: 'the gateway has no memory left for it' };
    log('preview_failed', { error: String(error) });
    return { problem: UNREADABLE };
  }
}
