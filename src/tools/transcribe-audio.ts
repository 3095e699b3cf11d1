import type { ContentBlock } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { withAdmitted } from '../admission.ts';
import { GatewayError } from '../errors.ts';
import { INPUT_AUDIO_TIMEOUT_MS, MAX_INPUT_AUDIO_BYTES } from '../limits.ts';
import { HEAD_BYTES, recogniseSound, TEXT } from '../media/formats.ts';
import { invalidInput } from '../media/input-file.ts';
import { requireUpstream } from '../openai/call-upstream.ts';
import { tokensOf } from '../openai/tokens.ts';
import { createTranscription, takesKeywords } from '../openai/transcriptions.ts';
import { transcriptionAmounts } from '../usage/amounts.ts';
import { transcriptionEstimate } from '../usage/estimates.ts';
import { bill, costFields, costShape, estimateOf } from './billing.ts';
import { timeUpstream } from './measures.ts';
import { modelWarning, warningBlocks } from './model-warning.ts';
import { resourceLinks, storedFile, toFile } from './stored-file.ts';
import { defineTool, modelArgument, type ToolContext, UNPUBLISHED } from './tool.ts';

/** A longer text is also stored: a client may cut it. */
const LONG_CHARACTERS = 8_000;
const ARGUMENT = { argument: 'audio' };

const MB = 1024 * 1024;

export const transcribeAudio = defineTool({
  name: 'transcribe_audio',
  title: 'Transcribe audio',
  description:
    'Turn speech in an audio file into text; a long text is also stored as a file. Use it for recordings, voice messages and the sound of videos; not to translate, nor for text you have. Example: {"audio": "https://…/meeting.mp3", "keywords": ["Azurite"]}. Billed by the minute, less than a cent.',
  activity: 'transcribing audio',
  annotations: { destructiveHint: false },
  input: z.strictObject({
    audio: z
      .string()
      .max(2048)
      .describe('URL of a flac, mp3, mp4, m4a, ogg, wav or webm file up to 25 MB, of this gateway or on an allowed host.'),
    model: modelArgument,
    language: z
      .string()
      .regex(/^[A-Za-z]{2,3}$/, 'must be a language code of ISO 639, such as de')
      .optional()
      .describe('What is spoken, such as de.'),
    prompt: z.string().min(1).max(4_000).optional().describe('What it is about, or the text before it.'),
    keywords: z.array(z.string().min(1).max(200)).min(1).max(100).optional().describe('Names and terms as they are spelled.'),
  }),
  aliases: { url: 'audio', audio_url: 'audio', file: 'audio' },
  output: z.object({
    text: z.string(),
    characters: z.int(),
    model: z.string(),
    usage: z.looseObject({}).optional(),
    ...costShape,
    file: storedFile.optional(),
    warning: z.string().optional().meta(UNPUBLISHED),
  }),
  job: { runs: 'always' },

  async check({ model, keywords }, { upstreams }) {
    const upstream = requireUpstream(upstreams, 'transcription');
    const name = model ?? upstream.model;
    if (!keywords || takesKeywords(name)) return;
    throw new GatewayError({ kind: 'invalid_input', problems: [`keywords: not supported by the model ${name}`] });
  },

  estimate({ model }, context) {
    const upstream = requireUpstream(context.upstreams, 'transcription');
    const billed = { model: model ?? upstream.model, ways: transcriptionEstimate() };
    return estimateOf(context, upstream, billed, 'a cheaper model (an hour of sound is assumed, before the file is read)');
  },

  async handler({ audio: url, ...input }, context) {
    const upstream = requireUpstream(context.upstreams, 'transcription');
    const model = input.model ?? upstream.model;
    context.measure({ model });
    const { text, usage } = await withAudio(url, context, (file) =>
      timeUpstream(context, () => createTranscription(upstream, { ...input, file, model }, context.signal)),
    );
    context.measure(tokensOf(usage));
    const amounts = transcriptionAmounts(usage);
    const cost = bill(context, upstream, { model, ways: amounts ? [amounts] : [] });
    const stored = text.length > LONG_CHARACTERS ? await store(text, context) : {};
    return {
      text,
      characters: [...text].length,
      model,
      ...(usage && { usage }),
      ...costFields(cost),
      ...(stored.file && { file: stored.file }),
      ...modelWarning(context, upstream, model, stored.warning),
    };
  },

  present: ({ text, file, warning }): ContentBlock[] => [
    { type: 'text', text },
    ...(file ? [{ type: 'text' as const, text: `Stored as ${file.url}` }, ...resourceLinks([file])] : []),
    ...warningBlocks(warning),
  ],
});

/** Reads the file into memory, which is reserved for it and for its copy in the request. */
function withAudio<Result>(url: string, context: ToolContext, work: (file: File) => Promise<Result>): Promise<Result> {
  const { admission, maxInputBytes, signal } = context;
  const maxBytes = Math.floor(Math.min(MAX_INPUT_AUDIO_BYTES, maxInputBytes));
  return withAdmitted(admission, signal, async (reserve) => {
    const onLength = (bytes = maxBytes) => {
      if (bytes > maxBytes) throw tooLarge(bytes, maxBytes);
      reserve(2 * bytes);
    };
    const bytes = await context.readInput({ url, ...ARGUMENT, maxBytes, timeoutMs: INPUT_AUDIO_TIMEOUT_MS, onLength }, signal);
    const format = recogniseSound(bytes.subarray(0, HEAD_BYTES));
    if (!format) throw invalidInput(ARGUMENT, 'is not a flac, mp3, mp4, m4a, ogg, wav or webm file');
    return work(new File([bytes], `audio.${format.name === 'opus' ? 'ogg' : format.extension}`, { type: format.contentType }));
  });
}

function tooLarge(bytes: number, maxBytes: number): GatewayError {
  return invalidInput(
    ARGUMENT,
    `is ${Math.ceil(bytes / MB)} MB, and at most ${Math.floor(maxBytes / MB)} MB can be transcribed here; encode it with fewer bits (Opus or MP3 at 32 kbit/s hold an hour in 15 MB), or split it`,
  );
}

/** Without storage, the text in the result has to do. */
async function store(text: string, { media, log }: ToolContext): Promise<{ file?: ReturnType<typeof toFile>; warning?: string }> {
  if (media.missing.length > 0) return {};
  const name = media.newName('audio', TEXT);
  log('storing', { blob: name });
  try {
    return { file: toFile(await media.save(name, new TextEncoder().encode(text), TEXT, true)) };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { warning: `The text could not be stored as a file as well: ${error.message}` };
  }
}
