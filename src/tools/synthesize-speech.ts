import type { ContentBlock } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { GatewayError } from '../errors.ts';
import { HEAD_BYTES, isNamedAudio, looksLikeText, type MediaFormat, PCM, recogniseAudio } from '../media/formats.ts';
import { requireUpstream } from '../openai/call-upstream.ts';
import { unexpectedBody } from '../openai/read-response.ts';
import { createSpeech, type SpeechRequest } from '../openai/speech.ts';
import type { Upstream } from '../openai/upstreams.ts';
import { timeUpstream } from './measures.ts';
import { modelWarning } from './model-warning.ts';
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
    const admitted = context.admission.admit(UPLOAD_BYTES, context.signal);
    const { format, file } = await createAndStore(upstream, request, context).finally(admitted.release);
    return {
      ...file,
      format: format.name,
      model,
      voice: typeof voice === 'string' ? voice : voice.id,
      characters,
      ...(format === PCM && PCM_SAMPLES),
      ...modelWarning(context, upstream, model, file.warning),
    };
  },

  present: ({ format, ...file }): ContentBlock[] => [
    { type: 'text', text: `${file.url} (${format}, ${file.characters} characters)` },
    ...resourceLinks([file]),
  ],
});

/** Stores the audio as it arrives. Detects the format from the first bytes, as the response's content type is unreliable. */
async function createAndStore(upstream: Upstream, request: SpeechRequest, context: ToolContext) {
  const { media } = context;
  const speech = await timeUpstream(context, () => createSpeech(upstream, request, HEAD_BYTES, context.signal));
  const { head, reader, contentType } = speech;
  const format = request.response_format === 'pcm' ? recognisePcm(head, contentType) : recogniseAudio(head);
  if (!format) {
    await reader.cancel();
    const problem = head.byteLength === 0 ? 'empty' : `not ${request.response_format ?? 'mp3'} audio`;
    throw unexpectedBody(upstream, problem, true);
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
