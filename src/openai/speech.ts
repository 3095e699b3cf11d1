import type { OpenAI } from 'openai';
import { MAX_AUDIO_BYTES } from '../limits.ts';
import { type OpenedBody, openBody } from '../streams/body.ts';
import { callUpstream, UNCOMPRESSED } from './call-upstream.ts';
import { bodyOptions } from './read-response.ts';
import type { Upstream } from './upstreams.ts';

export type SpeechRequest = OpenAI.Audio.SpeechCreateParams;

/** Audio as it arrives. */
export type Speech = OpenedBody & Readonly<{ contentType: string }>;

/**
 * Turns text into speech (https://platform.openai.com/docs/api-reference/audio/createSpeech). Resolves with the first
 * `headBytes` bytes and a reader for the whole body; reading throws `upstream_answer` failures. Once sent, the request
 * outlives its client.
 */
export async function createSpeech(upstream: Upstream, request: SpeechRequest, headBytes: number, signal: AbortSignal): Promise<Speech> {
  const response = await callUpstream(upstream, { paid: true, signal, finish: true }, async (until) =>
    (await upstream.client()).audio.speech.create(request, { signal: until, headers: UNCOMPRESSED }).asResponse(),
  );
  const body = await openBody(response, headBytes, bodyOptions(upstream, { paid: true, maxBytes: MAX_AUDIO_BYTES }));
  return { ...body, contentType: response.headers.get('content-type') ?? '' };
}
