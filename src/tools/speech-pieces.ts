import { GatewayError, mayBeBilled } from '../errors.ts';
import { inParallel } from '../in-parallel.ts';
import { type Joinable, soundOf } from '../media/join-audio.ts';
import type { PieceStore, StoredPiece } from '../media/piece-store.ts';
import { createShortSpeech, type SpeechRequest } from '../openai/speech.ts';
import { createSpokenChat, speaksInChat } from '../openai/spoken-chat.ts';
import { tokensOf } from '../openai/tokens.ts';
import type { Upstream } from '../openai/upstreams.ts';
import type { Cost } from '../usage/cost.ts';
import { timeUpstream } from './measures.ts';
import { formatOf, notAudio } from './short-speech.ts';
import { assumeSpeech, billSpeech } from './speech-cost.ts';
import { deviationOf } from './spoken-words.ts';
import { orLost } from './stored-file.ts';
import type { ToolContext } from './tool.ts';

export const MAX_AT_ONCE = 3;

/** Long speech in pieces. `names`: those that each piece may be stored under. */
export type Plan = Readonly<{
  upstream: Upstream;
  request: SpeechRequest;
  format: Joinable;
  store: PieceStore;
  context: ToolContext;
  texts: readonly string[];
  names: readonly (readonly string[])[];
  /** Of the pieces that this call has made. */
  costs: Cost[];
}>;

export type ReservedMemory = ReturnType<typeof reserve>;

/** Reserves memory for as many pieces at once as it has room for. Throws `busy` when there is none for one. */
export function reserve({ admission, signal }: ToolContext, pieceBytes: number) {
  const admit = () => admission.admit(pieceBytes, signal);
  const held = [admit()];
  try {
    while (held.length < MAX_AT_ONCE) held.push(admit());
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
  }
  return {
    lanes: held.length,
    /** What is reserved expires once a request must have ended. */
    renew(lane: number): void {
      held[lane]?.release();
      held[lane] = admit();
    },
    release(): void {
      for (const { release } of held) release();
    },
  };
}

/** Makes the pieces that are not stored yet. */
export async function makePieces(plan: Plan, memory: ReservedMemory): Promise<readonly StoredPiece[]> {
  const { context, store, names, texts } = plan;
  const stored = new Map<number, StoredPiece>();
  await inParallel(texts.length, MAX_AT_ONCE, async (index) => {
    const found = await store.find(names[index] ?? []);
    if (found) stored.set(index, found);
  });
  const missing = [...texts.keys()].filter((index) => !stored.has(index));
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  let part: number | undefined;
  await inParallel(missing.length, memory.lanes, async (at, lane) => {
    const index = missing[at] ?? 0;
    memory.renew(lane);
    report(context, `part ${index + 1} of ${texts.length}`, stored.size / texts.length);
    try {
      stored.set(index, await makePiece(plan, index, signal));
    } catch (error) {
      part ??= index + 1;
      stop.abort();
      throw error;
    }
  }).catch((error: unknown) => {
    throw interrupted(error, { part, made: stored.size, of: texts.length });
  });
  return texts.map((_, index) => stored.get(index) as StoredPiece);
}

export function report({ progress }: ToolContext, what: string, share: number): void {
  progress(`synthesizing speech, ${what}`, Math.floor(share * 100));
}

async function makePiece({ upstream, format, store, context, ...plan }: Plan, index: number, signal: AbortSignal): Promise<StoredPiece> {
  const request = { ...plan.request, input: plan.texts[index] ?? '' };
  const { bytes, contentType, transcript, usage } = await speak(upstream, request, context, signal).catch((error: unknown) => {
    // Nothing else would count it, as the other parts say what they cost.
    if (error instanceof GatewayError && mayBeBilled(error.failure)) assumeSpeech(context, upstream, request);
    throw error;
  });
  plan.costs.push(billSpeech(context, upstream, request, usage));
  const sound = formatOf(request, bytes, contentType)?.name === format ? soundOf(format, bytes) : undefined;
  if (!sound) throw notAudio(upstream, request, bytes);
  const differing = transcript === undefined ? 0 : (deviationOf(request.input, transcript)?.differing ?? 0);
  const names = plan.names[index] ?? [];
  const piece = await orLost('the part was', () => store.save(names, sound.data, { ...sound, differing }));
  context.measure({ pieces: 1 });
  return piece;
}

type Spoken = Readonly<{
  bytes: Uint8Array<ArrayBuffer>;
  contentType: string;
  transcript?: string;
  usage?: Record<string, unknown> | undefined;
}>;

async function speak(upstream: Upstream, request: SpeechRequest, context: ToolContext, signal: AbortSignal): Promise<Spoken> {
  if (!speaksInChat(request.model)) return timeUpstream(context, () => createShortSpeech(upstream, request, signal));
  const { bytes, transcript, usage } = await timeUpstream(context, () => createSpokenChat(upstream, request, signal));
  context.measure(tokensOf(usage));
  return { bytes, contentType: '', transcript, usage };
}

/** Says what is kept. What was cancelled is not asked for again. */
export function interrupted(error: unknown, state: { part?: number | undefined; made: number; of: number }): unknown {
  if (!(error instanceof GatewayError) || error.failure.kind === 'cancelled' || state.made === 0) return error;
  return new GatewayError({ kind: 'speech_interrupted', ...state, reason: error.failure }, { cause: error });
}
