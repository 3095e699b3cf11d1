import type { ShrinkImage } from '../ports.ts';

/** The subset of Cloudflare's Images binding that is used here. */
export type ImagesBinding = Readonly<{
  input(image: ReadableStream<Uint8Array>): ImageTransformer;
}>;

type ImageTransformer = Readonly<{
  /** `scale-down`: as `inside` the box, and never enlarged. Images are turned upright. */
  transform(options: { width: number; height: number; fit: 'scale-down' }): ImageTransformer;
  output(options: { format: 'image/webp'; quality: number }): Promise<{ response(): Response }>;
}>;

/** By Cloudflare Images, outside the isolate, where there is a binding. */
export function createShrinkImage(images: ImagesBinding | undefined): ShrinkImage {
  return async (image, { sidePixels, quality }) => {
    if (!images) return { problem: 'this Worker has no IMAGES binding (see wrangler.toml)' };
    const shrunk = await images
      .input(new Blob([image]).stream())
      .transform({ width: sidePixels, height: sidePixels, fit: 'scale-down' })
      .output({ format: 'image/webp', quality });
    return { bytes: await shrunk.response().bytes(), contentType: 'image/webp' };
  };
}
