import { BlobServiceClient } from '@azure/storage-blob';
import { parseBuffer } from 'music-metadata';
import sharp from 'sharp';
import { expect, inject } from 'vitest';
import { readSample } from '../stand-ins/openai/speech.ts';
import type { ToolResult } from '../support.ts';

type Args = Record<string, unknown>;

/** A file that the gateway could have stored. */
async function storeFile(extension: string, bytes: Uint8Array): Promise<string> {
  const { connectionString, container } = inject('storage');
  const blob = BlobServiceClient.fromConnectionString(connectionString)
    .getContainerClient(container)
    .getBlockBlobClient(`${crypto.randomUUID()}.${extension}`);
  await blob.uploadData(bytes);
  return blob.url;
}

const read = async (url: string) => new Uint8Array(await (await fetch(url)).arrayBuffer());

type ToolCall = { args: Args | (() => Promise<Args>); check: (result: ToolResult) => Promise<void> | void };

/** Some need something to exist first. */
export const argsOf = async ({ args }: ToolCall): Promise<Args> => (typeof args === 'function' ? args() : args);

/** One call of each tool, and what its result must hold; media is read by an anonymous GET of its URL. */
export const calls: Record<string, ToolCall> = {
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
  edit_image: {
    args: async () => ({
      prompt: 'the negative',
      images: [
        await storeFile(
          'png',
          await sharp({ create: { width: 64, height: 32, channels: 3, background: 'teal' } })
            .png()
            .toBuffer(),
        ),
      ],
    }),
    check: async ({ structuredContent }) =>
      expect((await sharp(await read(structuredContent.images[0].url)).stats()).dominant).toMatchObject({ r: 248, g: 120, b: 120 }),
  },
  synthesize_speech: {
    args: { input: 'Hello', response_format: 'opus' },
    check: async ({ structuredContent }) =>
      expect((await parseBuffer(await read(structuredContent.url))).format).toMatchObject({ container: 'Ogg', codec: 'Opus' }),
  },
  transcribe_audio: {
    args: async () => ({ audio: await storeFile('wav', readSample('speech.wav')), language: 'en' }),
    check: ({ structuredContent }) => expect(structuredContent.text).toMatch(/^The stand-in heard \(en\): \d+ seconds of WAVE\.$/),
  },
  generate_video: {
    args: { prompt: 'a lamp' },
    check: async ({ structuredContent }) =>
      expect((await parseBuffer(await read(structuredContent.video.url))).format).toMatchObject({ hasVideo: true }),
  },
  create_upload: {
    args: {},
    check: async ({ structuredContent }) => {
      const body = await sharp({ create: { width: 64, height: 32, channels: 3, background: 'teal' } })
        .jpeg()
        .toBuffer();
      expect((await fetch(structuredContent.upload_url, { method: 'PUT', body: new Uint8Array(body) })).status).toBe(201);
      expect(await sharp(await read(structuredContent.url)).metadata()).toMatchObject({ format: 'jpeg', width: 64, height: 32 });
    },
  },
  list_media: {
    args: { kind: 'image', limit: 1 },
    check: async ({ structuredContent: { media } }) => {
      for (const { url, bytes } of media) expect((await read(url)).byteLength).toBe(bytes);
    },
  },
  list_supported_models: {
    args: { verify: true },
    check: ({ structuredContent }) =>
      expect(structuredContent.models[0]).toMatchObject({ capability: 'chat', available: true, exists: true }),
  },
};
