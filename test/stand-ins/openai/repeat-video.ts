/** A box of an MP4 file (ISO/IEC 14496-12, 4.2). `start` is where its content is, behind size and type. */
type Box = Readonly<{ type: string; start: number; end: number }>;

type Change = Readonly<{ times: number; frames: number; filmStart: number; filmBytes: number }>;

const CONTAINERS: readonly string[] = ['moov', 'trak', 'edts', 'mdia', 'minf', 'stbl'];
const HEADER_BYTES = 8;

/**
 * An MP4 file that plays the sample's film so many times, one after the other. The sample is one video track in one
 * chunk that begins with its only key frame; `moov` stands before `mdat`, so that the result plays while it loads.
 */
export function repeatVideo(sample: Uint8Array, times: number): Uint8Array<ArrayBuffer> {
  const whole = { type: '', start: 0, end: sample.byteLength };
  const [type, index, film] = ['ftyp', 'moov', 'mdat'].map((name) => find(sample, whole, name));
  const sizes = ['trak', 'mdia', 'minf', 'stbl', 'stsz'].reduce((box, name) => box && find(sample, box, name), index);
  if (!type || !index || !film || !sizes) throw new Error('The sample is no MP4 file with one track.');
  const bytes = sample.subarray(film.start, film.end);
  const frames = viewOf(sample).getUint32(sizes.start + 8);
  const head = (filmStart: number) =>
    concat([
      box('ftyp', [sample.subarray(type.start, type.end)]),
      rebuild(sample, index, { times, frames, filmStart, filmBytes: bytes.byteLength }),
    ]);
  // The length of what stands before the film does not depend on the offsets in it.
  const filmStart = head(0).byteLength + HEADER_BYTES;
  return concat([head(filmStart), box('mdat', Array<Uint8Array>(times).fill(bytes))]);
}

/** A box of the index: those that tell of length and place are changed, all others are copied. */
function rebuild(file: Uint8Array, each: Box, change: Change): Uint8Array {
  const { type, start, end } = each;
  const parts = CONTAINERS.includes(type)
    ? boxesIn(file, each).map((inner) => rebuild(file, inner, change))
    : [changed(type, new Uint8Array(file.subarray(start, end)), change)];
  return box(type, parts);
}

function changed(type: string, content: Uint8Array<ArrayBuffer>, { times, frames, filmStart, filmBytes }: Change): Uint8Array {
  const view = viewOf(content);
  const multiply = (offset: number) => view.setUint32(offset, view.getUint32(offset) * times);
  switch (type) {
    case 'elst':
    case 'stts': // One entry: every frame lasts as long.
      multiply(8);
      return content;
    case 'mvhd':
    case 'mdhd':
      multiply(16);
      return content;
    case 'tkhd':
      multiply(20);
      return content;
    case 'stsz': // The size of each frame.
      multiply(8);
      return concat([content.subarray(0, 12), ...Array<Uint8Array>(times).fill(content.subarray(12))]);
    case 'stss': // The key frames, counted from 1.
      return table(times, (round) => round * frames + 1);
    case 'stco': // The chunks; all have as many frames.
      return table(times, (round) => filmStart + round * filmBytes);
    default:
      return content;
  }
}

/** A full box's content of version 0: a count, and so many numbers. */
function table(count: number, entry: (at: number) => number): Uint8Array {
  const content = new Uint8Array(8 + 4 * count);
  const view = viewOf(content);
  view.setUint32(4, count);
  for (let at = 0; at < count; at++) view.setUint32(8 + 4 * at, entry(at));
  return content;
}

function boxesIn(file: Uint8Array, { start, end }: Box): Box[] {
  const boxes: Box[] = [];
  for (let at = start; at + HEADER_BYTES <= end; ) {
    const size = viewOf(file).getUint32(at);
    if (size < HEADER_BYTES) throw new Error('The sample has a box of a size that is not given.');
    const type = new TextDecoder().decode(file.subarray(at + 4, at + HEADER_BYTES));
    boxes.push({ type, start: at + HEADER_BYTES, end: at + size });
    at += size;
  }
  return boxes;
}

function find(file: Uint8Array, within: Box, type: string): Box | undefined {
  return boxesIn(file, within).find((each) => each.type === type);
}

function box(type: string, parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const content = concat(parts);
  return concat([boxHeader(type, content.byteLength), content]);
}

export function boxHeader(type: string, contentBytes: number): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(HEADER_BYTES);
  viewOf(header).setUint32(0, HEADER_BYTES + contentBytes);
  header.set(new TextEncoder().encode(type), 4);
  return header;
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
