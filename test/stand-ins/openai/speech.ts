import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ApiError, parseBody } from './errors.ts';
import { assertModel, isAudioModel } from './models.ts';

export const VOICES = 'alloy ash ballad coral echo fable onyx nova sage shimmer verse marin cedar'.split(' ');

const body = z.strictObject({
  model: z.string(),
  input: z.string().min(1).max(4096),
  voice: z.union([z.enum(VOICES), z.strictObject({ id: z.string().regex(/^voice_/) })]),
  instructions: z.string().max(4096).optional(),
  response_format: z.enum(['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm']).default('mp3'),
  speed: z.number().min(0.25).max(4).optional(),
  stream_format: z.enum(['sse', 'audio']).optional(),
});

/** The media types as the real API sends them, which are not always the best ones. */
const TYPES: Readonly<Record<string, string>> = {
  mp3: 'audio/mpeg',
  opus: 'audio/opus',
  aac: 'audio/aac',
  flac: 'audio/flac',
  wav: 'audio/wav',
  pcm: 'audio/pcm',
};
const WAV_HEADER_BYTES = 44;
const CHUNKS = 4;

/** POST /audio/speech: always the same words, in the asked format; streamed without a length, as the real API does. */
export function synthesize(raw: unknown): Response {
  const request = parseBody(body, raw);
  assertModel(request.model);
  if (isAudioModel(request.model))
    throw new ApiError(404, 'This model is not supported in the v1/audio/speech endpoint.', 'model_not_found', 'model');
  if (request.instructions && request.model.startsWith('tts-1')) {
    throw new ApiError(400, "Unsupported parameter: 'instructions'.", 'unsupported_parameter', 'instructions');
  }
  const bytes = sampleOf(request.response_format);
  const size = Math.ceil(bytes.byteLength / CHUNKS);
  let sent = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(bytes.subarray(sent, sent + size));
      sent += size;
      if (sent >= bytes.byteLength) controller.close();
    },
  });
  return new Response(stream, { headers: { 'content-type': TYPES[request.response_format] ?? '' } });
}

export function sampleOf(format: string): Uint8Array {
  return format === 'pcm' ? readSample('speech.wav').subarray(WAV_HEADER_BYTES) : readSample(`speech.${format}`);
}

/** The samples were made once with espeak-ng and ffmpeg: a sentence of synthetic speech; make-videos.ts made the rest. */
export function readSample(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../samples/${name}`, import.meta.url)));
}
