import type { ContentBlock } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { GatewayError } from '../errors.ts';
import { MAX_SPEECH_CHARACTERS } from '../limits.ts';
import { PCM } from '../media/formats.ts';
import { isJoinable } from '../media/join-audio.ts';
import { requireUpstream } from '../openai/call-upstream.ts';
import type { SpeechRequest } from '../openai/speech.ts';
import { costFields, costShape } from './billing.ts';
import { createLongSpeech } from './long-speech.ts';
import { modelWarning } from './model-warning.ts';
import { createAndStore } from './short-speech.ts';
import { estimateSpeech } from './speech-cost.ts';
import { resourceLinks, storedFile } from './stored-file.ts';
import { defineTool, modelArgument, omitUndefined, publishedAs, UNPUBLISHED } from './tool.ts';

/** Of one request. */
const MAX_CHARACTERS = 4096;
const MAX_VOICE_CHARACTERS = 200;
const DEFAULT_VOICE = 'alloy';
/** OpenAI's raw samples: 24 kHz, 16 bit, one channel. https://platform.openai.com/docs/guides/text-to-speech */
const PCM_SAMPLES = { sample_rate: 24_000, channels: 1, sample_format: 's16le' };

const text = (description: string, maxLength: number) =>
  z
    .string()
    .superRefine((value, context) => {
      const count = charactersOf(value);
      if (count < 1 || count > maxLength)
        context.addIssue({ code: 'custom', message: `has ${count} characters; 1 to ${maxLength} are allowed` });
      else if (value.trim() === '') context.addIssue({ code: 'custom', message: 'must not be blank' });
    })
    .meta({ minLength: 1, maxLength, description });

/** Counts code points, as JSON Schema and OpenAI do. */
function charactersOf(value: string): number {
  return [...value].length;
}

/**
 * Names and limits are those of OpenAI's API.
 * https://platform.openai.com/docs/api-reference/audio/createSpeech
 */
const speechInput = z.strictObject({
  input: text('What to say; above 4,096 characters as mp3, wav or pcm.', MAX_SPEECH_CHARACTERS),
  voice: z
    .union([z.string().min(1).max(MAX_VOICE_CHARACTERS), z.strictObject({ id: z.string().min(1).max(MAX_VOICE_CHARACTERS) })], {
      error: 'must be the name of a voice, or {id} for a custom one',
    })
    .meta(publishedAs({ type: 'string', maxLength: MAX_VOICE_CHARACTERS }))
    .optional()
    .describe(
      'alloy, ash, ballad, cedar, coral, echo, fable, marin, nova, onyx, sage, shimmer, verse, another name, or {id}. Default: alloy.',
    ),
  instructions: text('How to say it: mood, accent, pace.', MAX_CHARACTERS).optional(),
  response_format: z.enum(['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm']).optional().describe('File format. Default: mp3.'),
  speed: z.number().min(0.25).max(4).optional().describe('0.25 to 4. Default: 1.'),
  model: modelArgument,
});

function toRequest(input: z.output<typeof speechInput>, defaultModel: string) {
  const { model = defaultModel, voice = DEFAULT_VOICE } = input;
  return { ...omitUndefined(input), input: input.input, model, voice } satisfies SpeechRequest;
}

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
    sample_rate: z.int().optional().meta(UNPUBLISHED),
    channels: z.int().optional().meta(UNPUBLISHED),
    sample_format: z.string().optional().meta(UNPUBLISHED),
    ...costShape,
  }),
  app: true,
  job: { runs: 'always' },

  async check({ input, instructions, response_format = 'mp3', model }, { upstreams, media, pieces }) {
    const upstream = requireUpstream(upstreams, 'audio');
    await media.assertReady();
    const name = model ?? upstream.model;
    const problems: string[] = [];
    if (instructions && name.startsWith('tts-1')) problems.push(`instructions: not supported by the model ${name}`);
    if (charactersOf(input) > MAX_CHARACTERS) {
      if (!isJoinable(response_format)) problems.push('response_format: must be mp3, wav or pcm for more than 4,096 characters of input');
      if (!pieces)
        problems.push('input: more than 4,096 characters need storage that can be read, which is not configured on this gateway');
    }
    if (problems.length > 0) throw new GatewayError({ kind: 'invalid_input', problems });
  },

  estimate(input, context) {
    const upstream = requireUpstream(context.upstreams, 'audio');
    return estimateSpeech(context, upstream, toRequest(input, upstream.model));
  },

  async handler(input, context) {
    const upstream = requireUpstream(context.upstreams, 'audio');
    const request = toRequest(input, upstream.model);
    const { model, voice } = request;
    const characters = charactersOf(input.input);
    context.measure({ model });
    const { response_format = 'mp3' } = input;
    const { format, file, cost, warning } =
      characters > MAX_CHARACTERS && isJoinable(response_format) && context.pieces
        ? await createLongSpeech(upstream, { ...request, response_format }, context.pieces, context)
        : await createAndStore(upstream, request, context);
    context.measure({ characters });
    return {
      ...file,
      format: format.name,
      model,
      voice: typeof voice === 'string' ? voice : voice.id,
      characters,
      ...(format === PCM && PCM_SAMPLES),
      ...costFields(cost),
      ...modelWarning(context, upstream, model, warning ?? file.warning),
    };
  },

  present: ({ format, ...file }): ContentBlock[] => [
    { type: 'text', text: `${file.url} (${format}, ${file.characters} characters)` },
    ...resourceLinks([file]),
  ],
});
