import { type ByteReader, readerOfChunks } from '../streams/byte-reader.ts';
import { mp3Head, readMp3 } from './mp3.ts';
import type { JoinedSound, Sound } from './sound.ts';
import { readWav, wavHead } from './wav.ts';

/** The formats whose sound can be joined without encoding it anew. */
const JOINABLE = ['mp3', 'wav', 'pcm'] as const;
export type Joinable = (typeof JOINABLE)[number];

/** OpenAI's raw samples have two bytes each. */
const PCM_SAMPLE_BYTES = 2;

export function isJoinable(format: string): format is Joinable {
  return (JOINABLE as readonly string[]).includes(format);
}

/** The sound of a file; `undefined` if it has none in this format. */
export function soundOf(format: Joinable, bytes: Uint8Array<ArrayBuffer>): Sound | undefined {
  if (format === 'mp3') return readMp3(bytes);
  if (format === 'wav') return readWav(bytes);
  const whole = bytes.byteLength - (bytes.byteLength % PCM_SAMPLE_BYTES);
  return whole > 0 ? { data: bytes.subarray(0, whole), shape: 'pcm', frames: 0 } : undefined;
}

/** One file, as it is read: a header that fits all, and the data of each sound in order. */
export function joinAudio(format: Joinable, joined: JoinedSound, data: AsyncIterable<Uint8Array>): ByteReader {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    if (format !== 'pcm') yield format === 'mp3' ? mp3Head(joined) : wavHead(joined);
    yield* data;
    if (format === 'wav' && joined.bytes % 2 === 1) yield new Uint8Array(1);
  }
  const iterator = chunks();
  return readerOfChunks(
    async () => (await iterator.next()).value ?? undefined,
    async () => {},
  );
}
