import fc from 'fast-check';
import { parseBuffer } from 'music-metadata';
import { describe, expect, test } from 'vitest';
import { type Joinable, joinAudio, soundOf } from '../../src/media/join-audio.ts';
import type { Sound } from '../../src/media/sound.ts';
import { readSample } from '../stand-ins/openai/speech.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const CBR = readSample('speech.mp3') as Bytes;
const VBR = readSample('speech-vbr.mp3') as Bytes;
const WAV = readSample('speech.wav') as Bytes;
const WAV_HEADER_BYTES = 44;
const SAMPLES = WAV.subarray(WAV_HEADER_BYTES);
const text = (bytes: Uint8Array) => new TextDecoder('latin1').decode(bytes);
const latin1 = (value: string) => Uint8Array.from(value, (character) => character.charCodeAt(0));
const concatenate = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

function soundIn(format: Joinable, bytes: Bytes): Sound {
  const sound = soundOf(format, bytes);
  if (!sound) throw new Error(`This is no ${format}.`);
  return sound;
}

/** The file that is made of these, read in small steps as an upload does. */
async function join(format: Joinable, files: readonly Bytes[]): Promise<Bytes> {
  const sounds = files.map((file) => soundIn(format, file));
  const sum = (key: (sound: Sound) => number) => sounds.reduce((total, sound) => total + key(sound), 0);
  const joined = { shape: sounds[0]?.shape ?? '', frames: sum(({ frames }) => frames), bytes: sum(({ data }) => data.byteLength) };
  async function* data() {
    for (const sound of sounds) yield sound.data;
  }
  const reader = joinAudio(format, joined, data());
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = await reader.read(new Uint8Array(1_000));
    if (chunk.byteLength === 0) return concatenate(...chunks);
    chunks.push(chunk);
  }
}

const decoded = async (bytes: Uint8Array) => (await parseBuffer(bytes, undefined, { duration: true })).format;
const durationOf = async (bytes: Uint8Array) => (await decoded(bytes)).duration ?? 0;

describe('mp3', () => {
  const id3v1 = latin1('TAG'.padEnd(128, '\0'));
  const ape = concatenate(latin1('APETAGEX'), new Uint8Array(24));

  test.each<[string, Bytes[]]>([
    ['of a constant bit rate', [CBR, CBR, CBR]],
    ['of a variable bit rate', [VBR, VBR, VBR, VBR]],
    ['of both', [CBR, VBR, CBR]],
    ['with tags at the end', [concatenate(CBR, ape, id3v1), concatenate(CBR, id3v1)]],
    ['without tags', [soundIn('mp3', CBR).data, CBR]],
    ['already joined, with tags in the middle', [concatenate(CBR, CBR), CBR]],
    ['cut within a frame', [concatenate(CBR, CBR.subarray(212, 250)), CBR]],
  ])('%s: as long as all, without tags and without the length of one', async (_, files) => {
    const joined = await join('mp3', files);
    const frames = files.reduce((total, file) => total + soundIn('mp3', file).frames, 0);
    const format = await decoded(joined);
    expect(format).toMatchObject({ container: 'MPEG', codec: 'MPEG 2 Layer 3', sampleRate: 24_000, numberOfChannels: 1 });
    expect(format.tagTypes ?? []).toEqual([]);
    // A frame has 576 samples.
    expect(format.duration).toBeCloseTo((frames * 576) / 24_000, 3);
    expect(text(joined)).not.toMatch(/ID3|TAG|APETAGEX|Info|Lavf/);
    // Its own.
    expect(text(joined).match(/Xing/g)).toHaveLength(1);
  });

  test('states as many frames and bytes as it has', async () => {
    const joined = await join('mp3', [VBR, CBR]);
    const view = new DataView(joined.buffer, text(joined).indexOf('Xing'));
    expect([view.getUint32(4), view.getUint32(12)]).toEqual([3, joined.byteLength]);
    expect(view.getUint32(8)).toBe(soundIn('mp3', VBR).frames + soundIn('mp3', CBR).frames);
  });

  test('frames are kept as they are, in order', async () => {
    const joined = text(await join('mp3', [CBR, VBR]));
    const [first, second] = [text(CBR.subarray(212)), text(soundIn('mp3', VBR).data)];
    expect(joined.endsWith(first + second)).toBe(true);
  });

  test('another sampling rate or number of channels is another shape; a bit rate is not', () => {
    const withHeader = (...header: number[]) => {
      const [, , third = 0] = header;
      // At 32 kbit/s for 24 kHz, 96 bytes; for 44.1 kHz of MPEG-1, 104.
      const frame = concatenate(Uint8Array.from(header), new Uint8Array((third === 0x10 ? 104 : 96) - 4));
      return soundIn('mp3', concatenate(frame, frame)).shape;
    };
    const mono = withHeader(0xff, 0xf3, 0x44, 0xc0);
    expect([soundIn('mp3', CBR).shape, soundIn('mp3', VBR).shape]).toEqual([mono, mono]);
    expect(new Set([mono, withHeader(0xff, 0xf3, 0x44, 0x00), withHeader(0xff, 0xfb, 0x10, 0xc0)]).size).toBe(3);
    // Joint stereo is stereo.
    expect(withHeader(0xff, 0xf3, 0x44, 0x40)).toBe(withHeader(0xff, 0xf3, 0x44, 0x00));
  });

  test.each<[string, Bytes]>([
    ['nothing', new Uint8Array()],
    ['text', latin1('{"error": "no audio"}')],
    ['a tag alone', CBR.subarray(0, 20)],
    ['half a frame', CBR.subarray(212, 250)],
    ['layer II', Uint8Array.from({ length: 2_000 }, (_, at) => (at % 2 === 0 ? 0xff : 0xfd))],
  ])('%s is none', (_, bytes) => {
    expect(soundOf('mp3', bytes)).toBeUndefined();
  });

  test('rubbish between frames is left out', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (rubbish) => {
        const frames = CBR.subarray(212);
        const sound = soundIn('mp3', concatenate(frames, rubbish, frames));
        expect(text(sound.data).startsWith(text(frames.subarray(0, -96)))).toBe(true);
        expect(text(sound.data).endsWith(text(frames.subarray(96)))).toBe(true);
      }),
    );
  });
});

describe('wav', () => {
  const header = WAV.subarray(0, WAV_HEADER_BYTES);
  const withSize = (...size: number[]) => concatenate(header.subarray(0, 40), Uint8Array.from(size), SAMPLES);
  const list = concatenate(latin1('LIST'), Uint8Array.from([5, 0, 0, 0]), latin1('INFO!\0'));
  const streamed = withSize(0xff, 0xff, 0xff, 0xff);

  test.each<[string, Bytes]>([
    ['with its size', WAV],
    ['streamed, with the largest size', streamed],
    ['streamed, without a size', withSize(0, 0, 0, 0)],
    ['with a list before the samples', concatenate(header.subarray(0, 36), list, WAV.subarray(36))],
    ['with a list after them', concatenate(WAV, list)],
    ['cut within a sample', concatenate(streamed, new Uint8Array(1))],
  ])('%s: the samples of all under one header', async (_, file) => {
    const joined = await join('wav', [file, WAV, file]);
    expect(await decoded(joined)).toMatchObject({ container: 'WAVE', sampleRate: 24_000, numberOfChannels: 1, bitsPerSample: 16 });
    expect(await durationOf(joined)).toBeCloseTo(3 * (await durationOf(WAV)), 3);
    expect(joined.subarray(WAV_HEADER_BYTES)).toEqual(concatenate(SAMPLES, SAMPLES, SAMPLES));
    const view = new DataView(joined.buffer);
    expect([view.getUint32(4, true), view.getUint32(40, true)]).toEqual([joined.byteLength - 8, joined.byteLength - 44]);
  });

  test('an odd number of bytes is padded', async () => {
    // Eight bits, one channel.
    const format = Uint8Array.from([1, 0, 1, 0, 0xc0, 0x5d, 0, 0, 0xc0, 0x5d, 0, 0, 1, 0, 8, 0]);
    const chunk = concatenate(latin1('data'), Uint8Array.from([3, 0, 0, 0, 7, 8, 9]));
    const file = concatenate(latin1('RIFF\0\0\0\0WAVEfmt '), Uint8Array.from([16, 0, 0, 0]), format, chunk);
    const joined = await join('wav', [file]);
    expect([...joined.subarray(WAV_HEADER_BYTES)]).toEqual([7, 8, 9, 0]);
    expect(new DataView(joined.buffer).getUint32(4, true)).toBe(joined.byteLength - 8);
    expect(soundIn('wav', file).shape).not.toBe(soundIn('wav', WAV).shape);
  });

  test.each<[string, Bytes]>([
    ['nothing', new Uint8Array()],
    ['mp3', CBR],
    ['a header alone', header as Bytes],
    ['without a format', concatenate(WAV.subarray(0, 12), WAV.subarray(36))],
    ['with samples of no size', concatenate(WAV.subarray(0, 32), new Uint8Array(2), WAV.subarray(34))],
  ])('%s is none', (_, bytes) => {
    expect(soundOf('wav', bytes)).toBeUndefined();
  });

  test('whatever is damaged is none, or whole samples', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), fc.uint8Array({ maxLength: 12 }), (at, damage) => {
        const bytes = WAV.slice(0, 200);
        bytes.set(damage, at);
        const sound = soundOf('wav', bytes);
        expect(sound === undefined || sound.data.byteLength > 0).toBe(true);
      }),
    );
  });
});

test('pcm: one after the other, whole samples only', async () => {
  expect(await join('pcm', [concatenate(SAMPLES, new Uint8Array(1)), SAMPLES])).toEqual(concatenate(SAMPLES, SAMPLES));
  expect(soundOf('pcm', new Uint8Array(1))).toBeUndefined();
});
