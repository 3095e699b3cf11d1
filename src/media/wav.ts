import { has } from './formats.ts';
import type { JoinedSound, Sound } from './sound.ts';

const CHUNK_HEADER_BYTES = 8;
const RIFF_HEADER_BYTES = 12;
/** Of the chunk that describes the samples: the longest kind has an extension (WAVE_FORMAT_EXTENSIBLE). */
const MIN_FORMAT_BYTES = 16;
const MAX_FORMAT_BYTES = 40;
const BLOCK_ALIGN_OFFSET = 12;

/**
 * The samples of a WAV file, whole ones only. What is streamed states no size (0, or 0xffffffff): then, they go on to the
 * end. `undefined` if there are none. http://soundfile.sapp.org/doc/WaveFormat/
 */
export function readWav(bytes: Uint8Array<ArrayBuffer>): Sound | undefined {
  if (!has(bytes, 0, 'RIFF') || !has(bytes, 8, 'WAVE')) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let format: Uint8Array | undefined;
  for (let at = RIFF_HEADER_BYTES; at + CHUNK_HEADER_BYTES <= bytes.byteLength; ) {
    const size = view.getUint32(at + 4, true);
    const content = bytes.subarray(at + CHUNK_HEADER_BYTES);
    if (has(bytes, at, 'data')) return format && samplesOf(content, size, format);
    if (has(bytes, at, 'fmt ') && size >= MIN_FORMAT_BYTES && size <= MAX_FORMAT_BYTES) format = content.subarray(0, size);
    // Chunks start at even offsets.
    at += CHUNK_HEADER_BYTES + size + (size % 2);
  }
  return undefined;
}

function samplesOf(content: Uint8Array<ArrayBuffer>, size: number, format: Uint8Array): Sound | undefined {
  const bytes = size === 0 ? content.byteLength : Math.min(size, content.byteLength);
  const blockAlign = (format[BLOCK_ALIGN_OFFSET] ?? 0) + 256 * (format[BLOCK_ALIGN_OFFSET + 1] ?? 0);
  const whole = bytes - (bytes % blockAlign);
  return whole > 0 ? { data: content.subarray(0, whole), shape: format.toHex(), frames: 0 } : undefined;
}

/** The header of a WAV file with these samples, which follow it. */
export function wavHead({ shape, bytes }: JoinedSound): Uint8Array {
  const format = Uint8Array.fromHex(shape);
  const head = new Uint8Array(RIFF_HEADER_BYTES + 2 * CHUNK_HEADER_BYTES + format.byteLength);
  const view = new DataView(head.buffer);
  const put = (at: number, id: string, size: number) => {
    head.set(new TextEncoder().encode(id), at);
    view.setUint32(at + 4, size, true);
  };
  put(0, 'RIFF', head.byteLength - CHUNK_HEADER_BYTES + bytes + (bytes % 2));
  head.set(new TextEncoder().encode('WAVE'), CHUNK_HEADER_BYTES);
  put(RIFF_HEADER_BYTES, 'fmt ', format.byteLength);
  head.set(format, RIFF_HEADER_BYTES + CHUNK_HEADER_BYTES);
  put(head.byteLength - CHUNK_HEADER_BYTES, 'data', bytes);
  return head;
}
