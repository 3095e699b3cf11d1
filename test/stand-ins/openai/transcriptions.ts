import { parseBlob } from 'music-metadata';
import { z } from 'zod';
import { ApiError, parseBody } from './errors.ts';
import { assertModel } from './models.ts';

const MAX_BYTES = 25 * 1024 * 1024;
const EXTENSIONS = /\.(flac|mp3|mp4|mpeg|mpga|m4a|ogg|wav|webm)$/;

const texts = z.union([z.string().transform((text) => [text]), z.array(z.string())]);
const body = z.strictObject({
  file: z.instanceof(File),
  model: z.string(),
  language: z.string().optional(),
  'languages[]': texts.optional(),
  'keywords[]': texts.optional(),
  prompt: z.string().optional(),
  response_format: z.enum(['json']).optional(),
});

/** POST /audio/transcriptions, a form: says what it has received, so that the text depends on the sound. */
export async function transcribe(form: unknown): Promise<object> {
  const request = parseBody(body, form);
  assertModel(request.model);
  const isNew = request.model === 'gpt-transcribe';
  if (isNew && request.language)
    throw new ApiError(400, "Unsupported parameter: 'language'; use 'languages'.", 'unsupported_parameter', 'language');
  if (!isNew && (request['keywords[]'] || request['languages[]']))
    throw new ApiError(400, "Unsupported parameter: 'keywords'.", 'unsupported_parameter', 'keywords');
  if (!EXTENSIONS.test(request.file.name)) throw new ApiError(400, 'Unrecognized file format.', 'invalid_value', 'file');
  if (request.file.size > MAX_BYTES) throw new ApiError(413, 'Maximum content size limit exceeded.', null);
  const { format } = await parseBlob(request.file, { duration: true });
  const seconds = Math.round(format.duration ?? 0);
  const said = [`${seconds} seconds of ${format.container}`, request.prompt, ...(request['keywords[]'] ?? [])].filter(Boolean).join(', ');
  const times = /\[(\d+) times\]/.exec(request.prompt ?? '')?.[1] ?? '1';
  const language = request.language ?? request['languages[]']?.[0] ?? 'en';
  return { text: Array(Number(times)).fill(`The stand-in heard (${language}): ${said}.`).join(' '), usage: { type: 'duration', seconds } };
}
