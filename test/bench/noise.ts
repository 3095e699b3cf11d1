import { randomFillSync } from 'node:crypto';
import sharp from 'sharp';

const EDGE = 1_180;

/** A PNG of 4.2 MB, which nothing can compress. */
export function makeNoise(): Promise<Buffer> {
  const raw = { width: EDGE, height: EDGE, channels: 3 } as const;
  return sharp(randomFillSync(Buffer.alloc(EDGE * EDGE * 3)), { raw })
    .png({ compressionLevel: 0 })
    .toBuffer();
}
