import type { GatewayError } from '../errors.ts';
import { MAX_SPOKEN_BYTES } from '../limits.ts';
import { HEAD_BYTES, isNamedAudio, looksLikeText, type MediaFormat, PCM, recogniseAudio } from '../media/formats.ts';
import { UPLOAD_BYTES } from '../media/media-store.ts';
import { unexpectedBody } from '../openai/read-response.ts';
import { createSpeech, type SpeechRequest } from '../openai/speech.ts';
import { createSpokenChat, speaksInChat } from '../openai/spoken-chat.ts';
import { tokensOf } from '../openai/tokens.ts';
import type { Upstream } from '../openai/upstreams.ts';
import type { Cost } from '../usage/cost.ts';
import { timeUpstream } from './measures.ts';
import { billSpeech } from './speech-cost.ts';
import { deviationOf } from './spoken-words.ts';
import { storeBilled, type toFile } from './stored-file.ts';
import type { ToolContext } from './tool.ts';

/** Speech that is stored. */
export type CreatedSpeech = Readonly<{ format: MediaFormat; file: ReturnType<typeof toFile>; cost: Cost; warning?: string | undefined }>;

const MAX_TRANSCRIPT_CHARACTERS = 500;

/** Makes speech in one request, and stores it. */
export async function createAndStore(upstream: Upstream, request: SpeechRequest, context: ToolContext): Promise<CreatedSpeech> {
  const isChat = speaksInChat(request.model);
  const admitted = context.admission.admit(isChat ? expectedBytes(request, request.input.length) : UPLOAD_BYTES, context.signal);
  const create = isChat ? createAndStoreSpoken : createAndStoreStreamed;
  return create(upstream, request, context).finally(admitted.release);
}

/** What speech is likely to take at the usual pace, of 15 characters a second: raw samples, or 192 kbit/s. */
export function expectedBytes({ response_format, speed = 1 }: SpeechRequest, characters: number): number {
  const isRaw = response_format === 'wav' || response_format === 'pcm' || response_format === 'flac';
  const bytes = ((isRaw ? 48_000 : 24_000) * characters) / 15 / Math.min(speed, 1);
  return Math.min(MAX_SPOKEN_BYTES, Math.max(UPLOAD_BYTES, bytes));
}

/** Stores what a chat model has said, and compares that with what it was to say. */
async function createAndStoreSpoken(upstream: Upstream, request: SpeechRequest, context: ToolContext): Promise<CreatedSpeech> {
  const { media } = context;
  const { bytes, transcript, usage } = await timeUpstream(context, () => createSpokenChat(upstream, request, context.signal));
  context.measure(tokensOf(usage));
  const cost = billSpeech(context, upstream, request, usage);
  const format = formatOf(request, bytes, '');
  if (!format) throw notAudio(upstream, request, bytes);
  const name = media.newName('audio', format);
  const file = await storeBilled(name, 'the speech was', context, () => media.save(name, bytes, format, false));
  const deviation = deviationOf(request.input, transcript);
  if (!deviation) return { format, file, cost };
  const { differing, of } = deviation;
  const warning = `${differing} of ${of} words were said in another way than written (numbers and abbreviations may be harmless). The model says it said: ${JSON.stringify(transcript.slice(0, MAX_TRANSCRIPT_CHARACTERS))}`;
  return { format, file, cost, warning: [file.warning, warning].filter((text) => text !== undefined).join(' ') };
}

/** Stores the audio as it arrives. Detects the format from the first bytes, as the response's content type is unreliable. */
async function createAndStoreStreamed(upstream: Upstream, request: SpeechRequest, context: ToolContext): Promise<CreatedSpeech> {
  const { media } = context;
  const speech = await timeUpstream(context, () => createSpeech(upstream, request, HEAD_BYTES, context.signal));
  const cost = billSpeech(context, upstream, request);
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
  return { format, file, cost };
}

/** The format of speech, by its start; `undefined` if it is none. */
export function formatOf({ response_format }: SpeechRequest, bytes: Uint8Array, contentType: string): MediaFormat | undefined {
  const head = bytes.subarray(0, HEAD_BYTES);
  return response_format === 'pcm' ? recognisePcm(head, contentType) : recogniseAudio(head);
}

export function notAudio(upstream: Upstream, { response_format = 'mp3' }: SpeechRequest, bytes: Uint8Array): GatewayError {
  return unexpectedBody(upstream, bytes.byteLength === 0 ? 'empty' : `not ${response_format} audio`, true);
}

/** PCM has no signature: anything is PCM unless it is text or another format, which some servers send regardless of the request. */
function recognisePcm(head: Uint8Array, contentType: string): MediaFormat | undefined {
  if (head.byteLength === 0 || looksLikeText(head) || /json|html|xml/i.test(contentType)) return undefined;
  const detected = recogniseAudio(head);
  return detected && (isNamedAudio(detected, head) || /mpeg|mp3|aac/i.test(contentType)) ? detected : PCM;
}
