import type { ContentBlock } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { GatewayError } from '../errors.ts';
import { MAX_SPOKEN_BYTES } from '../limits.ts';
import { HEAD_BYTES, isNamedAudio, looksLikeText, type MediaFormat, PCM, recogniseAudio } from '../media/formats.ts';
import { requireUpstream } from '../openai/call-upstream.ts';
import { unexpectedBody } from '../openai/read-response.ts';
import { createSpeech, type SpeechRequest } from '../openai/speech.ts';
import { createSpokenChat, speaksInChat } from '../openai/spoken-chat.ts';
import type { Upstream } from '../openai/upstreams.ts';
import { timeUpstream, tokensOf } from './measures.ts';
import { modelWarning } from './model-warning.ts';
import { deviationOf } from './spoken-words.ts';
import { resourceLinks, storeBilled, storedFile, UPLOAD_BYTES } from './stored-file.ts';
import { defineTool, modelArgument, omitUndefined, publishedAs, type ToolContext } from './tool.ts';

const MAX_CHARACTERS = 4096;
const MAX_VOICE_CHARACTERS = 200;
const DEFAULT_VOICE = 'alloy';
/** OpenAI's raw samples: 24 kHz, 16 bit, one channel. https://platform.openai.com/docs/guides/text-to-speech */
const PCM_SAMPLES = { sample_rate: 24_000, channels: 1, sample_format: 's16le' };

/** Counts code points, as JSON Schema and OpenAI do. */
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
    .union([z.string().min(1).max(MAX_VOICE_CHARACTERS), z.strictObject({ id: z.string().min(1).max(MAX_VOICE_CHARACTERS) })], {
      error: 'must be the name of a voice, or {id} for a custom one',
    })
    .meta(publishedAs({ type: 'string', maxLength: MAX_VOICE_CHARACTERS }))
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
  description:
    'Turn text into speech; the audio file is stored, and its URL returned. Use it for narration and voice messages; not for music or sound effects, nor to transcribe. Example: {"input": "Welcome aboard.", "voice": "marin", "instructions": "Calm and friendly."}. Billed by length: more than chat about the same text, usually less than an image.',
  activity: 'synthesizing speech',
  annotations: { destructiveHint: false },
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
  app: true,
  job: { runs: 'always' },

  async check({ instructions, model }, { upstreams, media }) {
    const upstream = requireUpstream(upstreams, 'audio');
    await media.assertReady();
    const name = model ?? upstream.model;
    if (!instructions || !name.startsWith('tts-1')) return;
    throw new GatewayError({ kind: 'invalid_input', problems: [`instructions: not supported by the model ${name}`] });
  },

  async handler(input, context) {
    const upstream = requireUpstream(context.upstreams, 'audio');
    const model = input.model ?? upstream.model;
    const voice = input.voice ?? DEFAULT_VOICE;
    const request = { ...omitUndefined(input), input: input.input, model, voice } satisfies SpeechRequest;
    const characters = [...input.input].length;
    context.measure({ model, characters });
    const isChat = speaksInChat(model);
    const admitted = context.admission.admit(isChat ? expectedBytes(request, characters) : UPLOAD_BYTES, context.signal);
    const create = isChat ? createAndStoreSpoken : createAndStore;
    const { format, file, warning }: Created = await create(upstream, request, context).finally(admitted.release);
    return {
      ...file,
      format: format.name,
      model,
      voice: typeof voice === 'string' ? voice : voice.id,
      characters,
      ...(format === PCM && PCM_SAMPLES),
      ...modelWarning(context, upstream, model, warning ?? file.warning),
    };
  },

  present: ({ format, ...file }): ContentBlock[] => [
    { type: 'text', text: `${file.url} (${format}, ${file.characters} characters)` },
    ...resourceLinks([file]),
  ],
});

type Created = Readonly<{ format: MediaFormat; file: Awaited<ReturnType<typeof storeBilled>>; warning?: string }>;

/** What speech is likely to take at the usual pace, of 15 characters a second: raw samples, or 192 kbit/s. */
function expectedBytes({ response_format, speed = 1 }: SpeechRequest, characters: number): number {
  const isRaw = response_format === 'wav' || response_format === 'pcm' || response_format === 'flac';
  const bytes = ((isRaw ? 48_000 : 24_000) * characters) / 15 / Math.min(speed, 1);
  return Math.min(MAX_SPOKEN_BYTES, Math.max(UPLOAD_BYTES, bytes));
}

/** Stores what a chat model has said, and compares that with what it was to say. */
async function createAndStoreSpoken(upstream: Upstream, request: SpeechRequest, context: ToolContext): Promise<Created> {
  const { media } = context;
  const { bytes, transcript, usage } = await timeUpstream(context, () => createSpokenChat(upstream, request, context.signal));
  context.measure(tokensOf(usage));
  const format = formatOf(request, bytes.subarray(0, HEAD_BYTES), '');
  if (!format) throw notAudio(upstream, request, bytes);
  const name = media.newName('audio', format);
  const file = await storeBilled(name, 'the speech was', context, () => media.save(name, bytes, format, false));
  const deviation = deviationOf(request.input, transcript);
  if (!deviation) return { format, file };
  const { differing, of } = deviation;
  const warning = `${differing} of ${of} words were said in another way than written (numbers and abbreviations may be harmless). The model says it said: ${JSON.stringify(transcript.slice(0, MAX_TRANSCRIPT_CHARACTERS))}`;
  return { format, file, warning: [file.warning, warning].filter((text) => text !== undefined).join(' ') };
}

const MAX_TRANSCRIPT_CHARACTERS = 500;

function formatOf({ response_format }: SpeechRequest, head: Uint8Array, contentType: string): MediaFormat | undefined {
  return response_format === 'pcm' ? recognisePcm(head, contentType) : recogniseAudio(head);
}

function notAudio(upstream: Upstream, { response_format = 'mp3' }: SpeechRequest, head: Uint8Array): GatewayError {
  return unexpectedBody(upstream, head.byteLength === 0 ? 'empty' : `not ${response_format} audio`, true);
}

/** Stores the audio as it arrives. Detects the format from the first bytes, as the response's content type is unreliable. */
async function createAndStore(upstream: Upstream, request: SpeechRequest, context: ToolContext): Promise<Created> {
  const { media } = context;
  const speech = await timeUpstream(context, () => createSpeech(upstream, request, HEAD_BYTES, context.signal));
  const { head, reader, contentType } = speech;
  const format = formatOf(request, head, contentType);
  if (!format) {
    await reader.cancel();
    throw notAudio(upstream, request, head);
  }
  const name = media.newName('audio', format);
  const file = await storeBilled(name, 'the speech was', context, () =>
    media.saveStream(name, { body: reader, repeatable: false }, format),
  );
  return { format, file };
}

/** PCM has no signature: anything is PCM unless it is text or another format, which some servers send regardless of the request. */
function recognisePcm(head: Uint8Array, contentType: string): MediaFormat | undefined {
  if (head.byteLength === 0 || looksLikeText(head) || /json|html|xml/i.test(contentType)) return undefined;
  const detected = recogniseAudio(head);
  return detected && (isNamedAudio(detected, head) || /mpeg|mp3|aac/i.test(contentType)) ? detected : PCM;
}
