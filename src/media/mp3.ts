import { concatenate } from '../streams/byte-reader.ts';
import { has } from './formats.ts';
import type { JoinedSound, Sound } from './sound.ts';

/** ISO/IEC 11172-3 and 13818-3, 2.4.2.3: the bit rates of layer III in kbit/s, and the sampling rates of MPEG-1. */
const MPEG1_KBPS = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const MPEG2_KBPS = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
const RATES = [44_100, 48_000, 32_000];
/** By the two bits of the version: MPEG-2.5, reserved, MPEG-2, MPEG-1. */
const RATE_DIVISORS = [4, undefined, 2, 1];
const MPEG1 = 3;
const MONO = 0xc0;
const HEADER_BYTES = 4;
const ID3_HEADER_BYTES = 10;
/** With its header, side information and this, a frame at 32 kbit/s always has room for what is below. */
const INFO_KBPS = 32;
/** The info frame has a number of frames and of bytes. http://gabriel.mp3-tech.org/mp3infotag.html */
const INFO_FLAGS = 3;

/** `shape`: the header that the info frame has; equal where version, sampling rate and mono or stereo are. */
type Frame = Readonly<{ bytes: number; sideInfoBytes: number; shape: string }>;

function frameAt(bytes: Uint8Array, at: number): Frame | undefined {
  const [sync = 0, first = 0, second = 0, third = 0] = bytes.subarray(at, at + HEADER_BYTES);
  // Eleven bits of sync, and layer III.
  if (sync !== 0xff || (first & 0xe6) !== 0xe2) return undefined;
  const version = (first >> 3) & 3;
  const rates = version === MPEG1 ? MPEG1_KBPS : MPEG2_KBPS;
  const [kbps, fullRate, divisor] = [rates[second >> 4], RATES[(second >> 2) & 3], RATE_DIVISORS[version]];
  if (!kbps || !fullRate || !divisor) return undefined;
  const padding = (second >> 1) & 1;
  const isMono = (third & MONO) === MONO;
  const header = [0xff, first | 1, (rates.indexOf(INFO_KBPS) << 4) | (second & 0x0c), isMono ? MONO : 0];
  return {
    bytes: Math.floor((((version === MPEG1 ? 144 : 72) * kbps * 1000) / fullRate) * divisor) + padding,
    sideInfoBytes: version === MPEG1 ? (isMono ? 17 : 32) : isMono ? 9 : 17,
    shape: new Uint8Array(header).toHex(),
  };
}

/**
 * The frames of an MP3 file, without tags (ID3, APE, …) and without the frames that state how long it is. `undefined` if
 * there are none.
 */
export function readMp3(bytes: Uint8Array<ArrayBuffer>): Sound | undefined {
  const kept: Uint8Array[] = [];
  let shape: string | undefined;
  let frames = 0;
  let at = endOfId3(bytes);
  /** Whether a frame ends here. */
  let follows = false;
  while (at < bytes.byteLength) {
    const frame = frameAt(bytes, at);
    const isFrame = frame && at + frame.bytes <= bytes.byteLength && frame.shape === (shape ?? frame.shape);
    if (!isFrame || !(follows || isFollowed(bytes, at, frame))) {
      follows = false;
      at++;
      continue;
    }
    shape = frame.shape;
    if (!isInfo(bytes, at, frame)) {
      kept.push(bytes.subarray(at, at + frame.bytes));
      frames++;
    }
    follows = true;
    at += frame.bytes;
  }
  return shape === undefined || frames === 0 ? undefined : { data: concatenate(kept), shape, frames };
}

/** Bytes of anything else may look like one header, but hardly like two at the right distance. */
function isFollowed(bytes: Uint8Array, at: number, { bytes: length, shape }: Frame): boolean {
  return at + length === bytes.byteLength || frameAt(bytes, at + length)?.shape === shape;
}

/** ID3v2 at the start (https://id3.org/id3v2.4.0-structure, 3.1): its size has seven bits a byte. */
function endOfId3(bytes: Uint8Array): number {
  if (!has(bytes, 0, 'ID3')) return 0;
  const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(6, ID3_HEADER_BYTES);
  return ID3_HEADER_BYTES + ((a << 21) | (b << 14) | (c << 7) | d);
}

function isInfo(bytes: Uint8Array, at: number, { sideInfoBytes }: Frame): boolean {
  const tagAt = at + HEADER_BYTES + sideInfoBytes;
  return has(bytes, tagAt, 'Xing') || has(bytes, tagAt, 'Info') || has(bytes, at + 36, 'VBRI');
}

/** The frame before all others, which states how long they are: without it, players guess by the first bit rate. */
export function mp3Head({ shape, frames, bytes }: JoinedSound): Uint8Array {
  const header = Uint8Array.fromHex(shape);
  const frame = frameAt(header, 0);
  if (!frame) throw new RangeError('The shape is not that of an MP3 file.');
  const head = new Uint8Array(frame.bytes);
  head.set(header);
  const at = HEADER_BYTES + frame.sideInfoBytes;
  head.set(new TextEncoder().encode('Xing'), at);
  const view = new DataView(head.buffer);
  view.setUint32(at + 4, INFO_FLAGS);
  view.setUint32(at + 8, frames);
  view.setUint32(at + 12, head.byteLength + bytes);
  return head;
}
