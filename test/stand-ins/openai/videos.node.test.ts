import { parseBuffer } from 'music-metadata';
import { describe, expect, test } from 'vitest';
import { createVideos, DEFAULT_VIDEO_SETTINGS } from './videos.ts';

describe.each(['720x1280', '1280x720', '1024x1792', '1792x1024'])('a video of %s', (size) => {
  test.each(['4', '8', '12'])('lasts %s s', async (seconds) => {
    const videos = createVideos();
    const job = videos.create('key', { prompt: 'a boat', size, seconds }, { ...DEFAULT_VIDEO_SETTINGS, jobSeconds: 0 });
    const content = await videos.content('key', (job as { id: string }).id, 'video');
    const bytes = new Uint8Array(await content.arrayBuffer());
    expect(Number(content.headers.get('content-length'))).toBe(bytes.byteLength);
    const { format } = await parseBuffer(bytes);
    const [pixelWidth, pixelHeight] = size.split('x').map(Number);
    expect(format.trackInfo).toEqual([expect.objectContaining({ duration: Number(seconds), video: { pixelWidth, pixelHeight } })]);
    expect(offsetsOfChunks(bytes)).toHaveLength(Number(seconds) / 4);
    // Each round begins with a key frame, a NAL unit of the type IDR (ITU-T H.264, 7.4.1).
    for (const offset of offsetsOfChunks(bytes)) expect((bytes[offset + 4] ?? 0) & 0x1f).toBe(5);
  });
});

/** Where the film's rounds begin (ISO/IEC 14496-12, 8.7.5). */
function offsetsOfChunks(bytes: Uint8Array): number[] {
  const at = Buffer.from(bytes).indexOf('stco', 0, 'latin1') + 4;
  const table = new DataView(bytes.buffer, at);
  return Array.from({ length: table.getUint32(4) }, (_, index) => table.getUint32(8 + 4 * index));
}
