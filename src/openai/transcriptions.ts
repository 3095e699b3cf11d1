import type { OpenAI } from 'openai';
import * as z from 'zod';
import { MAX_TRANSCRIPT_BODY_BYTES } from '../limits.ts';
import { callUpstream } from './call-upstream.ts';
import { observe } from './observe.ts';
import { readJson, unexpectedBody } from './read-response.ts';
import type { Upstream } from './upstreams.ts';

export type TranscriptionRequest = Readonly<{
  file: File;
  model: string;
  language?: string | undefined;
  prompt?: string | undefined;
  keywords?: readonly string[] | undefined;
}>;

export type Transcription = Readonly<{ text: string; usage: Record<string, unknown> | undefined }>;

const responseSchema = z.object({ text: z.string(), usage: z.looseObject({}).nullish() });

/** Models before `gpt-transcribe` take one language and no keywords. */
export function takesKeywords(model: string): boolean {
  return !/whisper|gpt-4o/i.test(model);
}

/**
 * Turns speech into text (https://platform.openai.com/docs/api-reference/audio/createTranscription). Once sent, the request
 * outlives its client. Throws `upstream_answer` when the answer holds no text.
 */
export function createTranscription(upstream: Upstream, request: TranscriptionRequest, signal: AbortSignal): Promise<Transcription> {
  return observe(upstream, { operation: 'transcription', model: request.model }, () => transcribe(upstream, request, signal));
}

async function transcribe(upstream: Upstream, request: TranscriptionRequest, signal: AbortSignal): Promise<Transcription> {
  const { file, model, language, prompt, keywords } = request;
  const spoken = language && (takesKeywords(model) ? { languages: [language] } : { language });
  const form = { file, model, ...spoken, ...(prompt && { prompt }), ...(keywords && { keywords: [...keywords] }) };
  return callUpstream(upstream, { paid: true, signal, finish: true }, async (until) => {
    const { audio } = await upstream.client();
    const sent = audio.transcriptions.create(form as OpenAI.Audio.TranscriptionCreateParamsNonStreaming, { signal: until });
    const body = await readJson(await sent.asResponse(), upstream, { paid: true, maxBytes: MAX_TRANSCRIPT_BODY_BYTES });
    const parsed = responseSchema.safeParse(body);
    if (!parsed.success) throw unexpectedBody(upstream, 'no transcript', true, parsed.error);
    return { text: parsed.data.text, usage: parsed.data.usage ?? undefined };
  });
}
