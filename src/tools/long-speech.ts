import { GatewayError } from '../errors.ts';
import { inParallel } from '../in-parallel.ts';
import { MAX_JOINED_SPEECH_BYTES } from '../limits.ts';
import { audioFormat } from '../media/formats.ts';
import { type Joinable, joinAudio } from '../media/join-audio.ts';
import type { PieceStore, StoredPiece } from '../media/piece-store.ts';
import { unexpectedBody } from '../openai/read-response.ts';
import type { SpeechRequest } from '../openai/speech.ts';
import type { Upstream } from '../openai/upstreams.ts';
import { sumCosts } from '../usage/cost.ts';
import { type CreatedSpeech, expectedBytes } from './short-speech.ts';
import { interrupted, MAX_AT_ONCE, makePieces, type Plan, report, reserve } from './speech-pieces.ts';
import { splitText } from './split-text.ts';
import { toFile } from './stored-file.ts';
import type { ToolContext } from './tool.ts';

/** About two minutes: less to pay again after a failure, and within the 2,000 tokens of `gpt-4o-mini-tts` in any language. */
const MAX_PIECE_LENGTH = 2_000;
/** More than one, if an identical call removes pieces that both have found. */
const MAX_ROUNDS = 3;
const MAX_QUOTED_CHARACTERS = 80;

type LongRequest = SpeechRequest & Readonly<{ response_format: Joinable }>;

/**
 * Makes speech of a text that is too long for one request: in pieces, which are stored, joined and then deleted. When it
 * fails, what has been made is there for the next call with the same arguments.
 */
export async function createLongSpeech(
  upstream: Upstream,
  request: LongRequest,
  store: PieceStore,
  context: ToolContext,
): Promise<CreatedSpeech> {
  const { response_format: format } = request;
  const texts = splitText(request.input, MAX_PIECE_LENGTH);
  const names = texts.map((text, index) => namesOf(store, [...identityOf(upstream, request, context), `${index}`, text]));
  const plan: Plan = { upstream, request, format, store, context, texts, names: await Promise.all(names), costs: [] };
  const memory = reserve(context, expectedBytes(request, MAX_PIECE_LENGTH));
  try {
    for (let round = 1; ; round++) {
      const pieces = await makePieces(plan, memory);
      const file = await join(plan, pieces, round === MAX_ROUNDS);
      if (!file) continue;
      await remove(store, pieces).catch(() => {});
      const warning = [file.warning, warnOf(texts, pieces)].filter(Boolean).join(' ') || undefined;
      return { format: audioFormat(format), file, cost: sumCosts(plan.costs), warning };
    }
  } finally {
    memory.release();
  }
}

/** A spare name is for an identical call at the same time, so that each of them keeps what it has paid for. */
async function namesOf(store: PieceStore, identity: readonly string[]): Promise<readonly string[]> {
  const [names, spares] = await Promise.all([store.namesOf(...identity), store.namesOf(...identity, 'spare')]);
  return [...names, ...spares.slice(0, 1)];
}

/** All that makes a piece what it is, besides its text and place. */
function identityOf({ endpointHost }: Upstream, request: LongRequest, { principal }: ToolContext): readonly string[] {
  const { model, voice, instructions = '', response_format, speed = 1 } = request;
  return ['speech', principal.id, endpointHost, model, JSON.stringify(voice), instructions, response_format, `${speed}`];
}

/** Stores the file of all pieces. Resolves to `undefined` if one is not there any longer, unless that `isLast`. */
async function join(plan: Plan, pieces: readonly StoredPiece[], isLast: boolean): Promise<CreatedSpeech['file'] | undefined> {
  const { format, store, context } = plan;
  const { media, log } = context;
  const shape = await assertAlike(plan, pieces);
  const sum = (key: 'bytes' | 'frames') => pieces.reduce((total, piece) => total + piece[key], 0);
  const joined = { shape, frames: sum('frames'), bytes: sum('bytes') };
  if (joined.bytes > MAX_JOINED_SPEECH_BYTES) throw unexpectedBody(plan.upstream, `larger than ${MAX_JOINED_SPEECH_BYTES} bytes`, true);
  let isGone = false;
  async function* read(): AsyncGenerator<Uint8Array> {
    for (const piece of pieces) {
      const data = await store.read(piece);
      isGone = data === undefined;
      if (!data) throw new GatewayError({ kind: 'storage', problem: 'A part of the speech has been deleted', retryable: true });
      yield data;
    }
  }
  report(context, `joining ${pieces.length} parts`, 0.99);
  const name = media.newName('audio', audioFormat(format));
  log('storing', { blob: name });
  try {
    return toFile(await media.saveStream(name, { body: joinAudio(format, joined, read()), repeatable: true }, audioFormat(format)));
  } catch (error) {
    if (isGone && !isLast) return undefined;
    throw interrupted(error, { made: pieces.length, of: pieces.length });
  }
}

/** The shape of all pieces. Removes those that differ from the first, so that another call makes them anew. */
async function assertAlike({ upstream, store }: Plan, pieces: readonly StoredPiece[]): Promise<string> {
  const shape = pieces[0]?.shape ?? '';
  const others = pieces.filter((piece) => piece.shape !== shape);
  const [other] = others;
  if (!other) return shape;
  await remove(store, others).catch(() => {});
  const part = pieces.indexOf(other) + 1;
  const error = unexpectedBody(upstream, 'its sampling rate or number of channels is not that of part 1', true);
  throw interrupted(error, { part, made: pieces.length - others.length, of: pieces.length });
}

function remove(store: PieceStore, pieces: readonly StoredPiece[]): Promise<void> {
  return inParallel(pieces.length, MAX_AT_ONCE, async (index) => store.delete(pieces[index]?.name ?? ''));
}

/** What chat models have said in another way, which is known of the pieces of earlier calls, too. */
function warnOf(texts: readonly string[], pieces: readonly StoredPiece[]): string | undefined {
  const words = pieces.reduce((total, { differing }) => total + differing, 0);
  if (words === 0) return undefined;
  const parts = pieces.filter(({ differing }) => differing > 0).length;
  const worst = pieces.reduce((most, { differing }, index) => (differing > (pieces[most]?.differing ?? 0) ? index : most), 0);
  return `${words} words in ${parts} of ${pieces.length} parts were said in another way than written (numbers and abbreviations may be harmless), most in part ${worst + 1}, which begins ${JSON.stringify(texts[worst]?.slice(0, MAX_QUOTED_CHARACTERS))}.`;
}
