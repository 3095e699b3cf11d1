/** The program of a process that shrinks one image. Ends when its parent closes the channel. */
import { MAX_PREVIEWED_PIXELS } from '../limits.ts';
import type { ShrunkImage } from '../ports.ts';

export type ShrinkRequest = Readonly<{ image: Uint8Array; sidePixels: number; quality: number }>;

async function shrink({ image, sidePixels, quality }: ShrinkRequest): Promise<ShrunkImage> {
  const sharp = await import('sharp').catch(() => undefined);
  if (!sharp) return { problem: 'this gateway runs without the npm package sharp, which is optional' };
  sharp.default.concurrency(1);
  const shrunk = sharp
    .default(image, { limitInputPixels: MAX_PREVIEWED_PIXELS, autoOrient: true })
    .resize({ width: sidePixels, height: sidePixels, fit: 'inside', withoutEnlargement: true })
    .webp({ quality, alphaQuality: quality });
  return { bytes: await shrunk.toBuffer(), contentType: 'image/webp' };
}

process.on('message', async (request: ShrinkRequest) => {
  process.send?.(await shrink(request).catch((error: unknown) => ({ error: String(error) })));
});
