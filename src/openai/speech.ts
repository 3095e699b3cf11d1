import type { OpenAI } from 'openai';
import { MAX_AUDIO_BYTES, MAX_SPOKEN_BYTES } from '../limits.ts';
import { type OpenedBody, openBody, readBody } from '../streams/body.ts';
import { callUpstream, UNCOMPRESSED } from './call-upstream.ts';
import { observe } from './observe.ts';
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
  return observe(upstream, { operation: 'speech', model: request.model }, async () => {
    const response = await send(upstream, request, signal);
    const body = await openBody(response, headBytes, bodyOptions(upstream, { paid: true, maxBytes: MAX_AUDIO_BYTES }));
    return { ...body, contentType: contentTypeOf(response) };
  });
}

/** The same for what is short enough to be held in memory. */
export async function createShortSpeech(upstream: Upstream, request: SpeechRequest, signal: AbortSignal) {
  return observe(upstream, { operation: 'speech', model: request.model }, async () => {
    const response = await send(upstream, request, signal);
    const bytes = await readBody(response, bodyOptions(upstream, { paid: true, maxBytes: MAX_SPOKEN_BYTES }));
    return { bytes, contentType: contentTypeOf(response) };
  });
}

function send(upstream: Upstream, request: SpeechRequest, signal: AbortSignal): Promise<Response> {
  return callUpstream(upstream, { paid: true, signal, finish: true }, async (until) =>
    (await upstream.client()).audio.speech.create(request, { signal: until, headers: UNCOMPRESSED }).asResponse(),
  );
}

function contentTypeOf({ headers }: Response): string {
  return headers.get('content-type') ?? '';
}
