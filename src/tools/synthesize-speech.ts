import type { ContentBlock } from '@modelcontextprotocol/server';
import type { OpenAI } from 'openai';
import { z } from 'zod';
import { GatewayError } from '../errors.ts';
import { openBody } from '../media/body.ts';
import { HEAD_BYTES, isNamedAudio, looksLikeText, type MediaFormat, PCM, recogniseAudio } from '../media/formats.ts';
import { callUpstream, requireUpstream, UNCOMPRESSED } from '../openai/call-upstream.ts';
import type { Upstream } from '../openai/upstreams.ts';
import { resourceLinks, storedFile, toFile } from './stored-file.ts';
import { defineTool, modelArgument, type ToolContext, whatIsSet } from './tool.ts';

const MAX_CHARACTERS = 4096;
const DEFAULT_VOICE = 'alloy';
/** The longest speech there can be: 4,096 characters at a quarter of the speed, as WAV, is about 60 MB. */
const MAX_AUDIO_BYTES = 256 * 1024 * 1024;
/** OpenAI's raw samples: 24 kHz, 16 bit, one channel. https://platform.openai.com/docs/guides/text-to-speech */
const PCM_SAMPLES = { sample_rate: 24_000, channels: 1, sample_format: 's16le' };

/** Counts characters as JSON Schema and OpenAI do: by code point. */
const text = (what: string) =>
  z
    .string()
    .superRefine((value, context) => {
      const count = [...value].length;
      if (count >= 1 && count <= MAX_CHARACTERS) return;
      context.addIssue({ code: 'custom', message: `has ${count} characters; 1 to ${MAX_CHARACTERS} are allowed` });
    })
    .meta({ minLength: 1, maxLength: MAX_CHARACTERS, description: `${what}, 1 to 4,096 characters.` });

/**
 * Names and limits are those of OpenAI's API.
 * https://platform.openai.com/docs/api-reference/audio/createSpeech
 */
const speechInput = z.strictObject({
  input: text('What to say'),
  voice: z
    .union([z.string().min(1).max(200), z.strictObject({ id: z.string().min(1).max(200) })], {
      error: 'expected the name of a voice, or {id} for one of your own',
    })
    .optional()
    .describe(
      'alloy, ash, ballad, cedar, coral, echo, fable, marin, nova, onyx, sage, shimmer, verse, another name, or {id}. Default: alloy.',
    ),
  instructions: text('How to say it: mood, accent, pace').optional(),
  response_format: z.enum(['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm']).optional().describe('File format. Default: mp3.'),
  speed: z.number().min(0.25).max(4).optional().describe('0.25 to 4. Default: 1.'),
  model: modelArgument,
});

export const synthesizeSpeech = defineTool({
  name: 'synthesize_speech',
  title: 'Synthesize speech',
  description: 'Turn text into speech. The sound file is stored, and its URL returned. Each call is charged.',
  activity: 'synthesizing speech',
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  input: speechInput,
  output: storedFile.extend({
    format: z.string(),
    model: z.string(),
    voice: z.string(),
    characters: z.int(),
    sample_rate: z.int().optional(),
    channels: z.int().optional(),
    sample_format: z.string().optional(),
  }),

  async handler(input, context) {
    const upstream = requireUpstream(context.upstreams, 'audio');
    await context.media.assertReady();
    const model = input.model ?? upstream.model;
    if (input.instructions && model.startsWith('tts-1')) {
      throw new GatewayError({ kind: 'invalid_input', problems: [`instructions: the model ${model} takes none`] });
    }
    const voice = input.voice ?? DEFAULT_VOICE;
    const request = { ...whatIsSet(input), input: input.input, model, voice } satisfies OpenAI.Audio.SpeechCreateParams;
    const response = await callUpstream(upstream, { paid: true, signal: context.signal }, (signal) =>
      upstream.client.audio.speech.create(request, { signal, headers: UNCOMPRESSED }),
    );
    const { format, file } = await context.keepAlive(store(response, input.response_format, upstream, context));
    return {
      ...file,
      format: format.name,
      model,
      voice: typeof voice === 'string' ? voice : voice.id,
      characters: [...input.input].length,
      ...(format === PCM && PCM_SAMPLES),
    };
  },

  present: ({ format, ...file }): ContentBlock[] => [
    { type: 'text', text: `${file.url} (${format}, ${file.characters} characters)` },
    ...resourceLinks([file]),
  ],
});

/** Stores the sound as it arrives. Its first bytes decide what it is, because the answer's type is not to be relied on. */
async function store(response: Response, asked: string | undefined, upstream: Upstream, { media, now, sleep }: ToolContext) {
  const { service } = upstream;
  const body = await openBody(response, HEAD_BYTES, { service, paid: true, maxBytes: MAX_AUDIO_BYTES, now, sleep });
  const format = asked === 'pcm' ? recognisePcm(body.head, response.headers) : recogniseAudio(body.head);
  if (!format) {
    await body.reader.cancel();
    const what = body.head.byteLength === 0 ? 'its body is empty' : `its body is not ${asked ?? 'mp3'} audio`;
    throw new GatewayError({ kind: 'upstream_answer', service, problem: what, paid: true });
  }
  const source = { body: body.reader, lengthBytes: body.lengthBytes, repeatable: false };
  try {
    return { format, file: toFile(await media.saveStream(media.newName('audio', format), source, format)) };
  } catch (error) {
    if (!(error instanceof GatewayError) || error.failure.kind !== 'storage') throw error;
    throw new GatewayError({ kind: 'media_lost', what: 'the speech was', reason: error.failure }, { cause: error });
  }
}

/** Raw samples are anything but text or a file of another format, which some servers send whatever was asked for. */
function recognisePcm(head: Uint8Array, headers: Headers): MediaFormat | undefined {
  const contentType = headers.get('content-type') ?? '';
  if (head.byteLength === 0 || looksLikeText(head) || /json|html|xml/i.test(contentType)) return undefined;
  const other = recogniseAudio(head);
  return other && (isNamedAudio(other, head) || /mpeg|mp3|aac/i.test(contentType)) ? other : PCM;
}
