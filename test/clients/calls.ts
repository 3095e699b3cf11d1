import { parseBuffer } from 'music-metadata';
import sharp from 'sharp';
import { expect } from 'vitest';
import type { ToolResult } from '../support.ts';

const read = async (url: string) => new Uint8Array(await (await fetch(url)).arrayBuffer());

/** One call of each tool, and what its result must hold; media is read by an anonymous GET of its URL. */
export const calls: Record<string, { args: Record<string, unknown>; check: (result: ToolResult) => Promise<void> | void }> = {
  chat_completion: {
    args: { prompt: 'Hello', max_completion_tokens: 500 },
    check: ({ structuredContent }) => expect(structuredContent.text).toBe('The stand-in was asked: Hello'),
  },
  generate_image: {
    args: { prompt: 'a lamp', size: '256x128', output_format: 'webp' },
    check: async ({ structuredContent }) =>
      expect(await sharp(await read(structuredContent.images[0].url)).metadata()).toMatchObject({
        format: 'webp',
        width: 256,
        height: 128,
      }),
  },
  synthesize_speech: {
    args: { input: 'Hello', response_format: 'opus' },
    check: async ({ structuredContent }) =>
      expect((await parseBuffer(await read(structuredContent.url))).format).toMatchObject({ container: 'Ogg', codec: 'Opus' }),
  },
  generate_video: {
    args: { prompt: 'a lamp' },
    check: async ({ structuredContent }) =>
      expect((await parseBuffer(await read(structuredContent.video.url))).format).toMatchObject({ hasVideo: true }),
  },
  list_supported_models: {
    args: { verify: true },
    check: ({ structuredContent }) =>
      expect(structuredContent.models[0]).toMatchObject({ capability: 'chat', available: true, exists: true }),
  },
};
