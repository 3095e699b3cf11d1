import { createHash } from 'node:crypto';
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
/** An ID3 tag, and the frame that states how many frames there are, and bytes. */
const MP3_HEAD_BYTES = 212;
const MP3_COUNT_OFFSET = 41;
const MP3_FRAME_BYTES = 96;
const CHARACTERS_A_SENTENCE = 200;
const MARK_BYTES = 8;
const CHUNKS = 4;

/** POST /audio/speech: the longer the text, the more; in the asked format, and streamed without a length, as the real API does. */
export function synthesize(raw: unknown): Response {
  const request = parseBody(body, raw);
  assertModel(request.model);
  if (isAudioModel(request.model))
    throw new ApiError(404, 'This model is not supported in the v1/audio/speech endpoint.', 'model_not_found', 'model');
  if (request.instructions && request.model.startsWith('tts-1')) {
    throw new ApiError(400, "Unsupported parameter: 'instructions'.", 'unsupported_parameter', 'instructions');
  }
  const bytes = sayIn(request.response_format, request.input);
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

/** A sentence for every so many characters, which carries a mark of the text: no two texts sound alike. */
export function sayIn(format: string, text: string): Uint8Array {
  const times = Math.ceil(text.length / CHARACTERS_A_SENTENCE);
  if (format === 'mp3') return sayInMp3(text, times);
  if (format !== 'wav' && format !== 'pcm') return readSample(`speech.${format}`);
  const wav = readSample('speech.wav');
  const sentence = wav.slice(WAV_HEADER_BYTES);
  sentence.set(markOf(text));
  const sentences = Buffer.concat(Array(times).fill(sentence));
  // Streamed, it states no sizes.
  const head = wav.slice(0, WAV_HEADER_BYTES).fill(0xff, 4, 8).fill(0xff, 40, 44);
  return format === 'pcm' ? sentences : Buffer.concat([head, sentences]);
}

/** All frames of the sample have one size; the mark is in their private bits. */
function sayInMp3(text: string, times: number): Uint8Array {
  const sample = readSample('speech.mp3');
  const frames = Buffer.concat(Array(times).fill(sample.subarray(MP3_HEAD_BYTES)));
  const mark = markOf(text);
  for (let bit = 0; bit < mark.length * 8; bit++) {
    const at = bit * MP3_FRAME_BYTES + 2;
    frames[at] = ((frames[at] ?? 0) & ~1) | (((mark[bit >> 3] ?? 0) >> (bit & 7)) & 1);
  }
  const head = Buffer.from(sample.subarray(0, MP3_HEAD_BYTES));
  head.writeUInt32BE(frames.byteLength / MP3_FRAME_BYTES, MP3_COUNT_OFFSET);
  head.writeUInt32BE(frames.byteLength + MP3_FRAME_BYTES * 2, MP3_COUNT_OFFSET + 4);
  return Buffer.concat([head, frames]);
}

function markOf(text: string): Uint8Array {
  return createHash('sha256').update(text).digest().subarray(0, MARK_BYTES);
}

/** The samples were made once with espeak-ng and ffmpeg: a sentence of synthetic speech; make-videos.ts made the rest. */
export function readSample(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../samples/${name}`, import.meta.url)));
}
