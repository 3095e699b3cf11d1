import { imageSize } from 'image-size';

/** A media format the gateway stores: its name, content type and file extension. */
export type MediaFormat = Readonly<{ name: string; contentType: string; extension: string }>;

export type ImageInfo = Readonly<{ format: MediaFormat; width: number; height: number }>;

/** How many leading bytes are needed to detect a file's format. */
export const HEAD_BYTES = 64;

type Signature = MediaFormat & Readonly<{ matches: (head: Uint8Array) => boolean }>;

/**
 * Formats are detected by the first bytes, never by what a header or a caller claims. Excludes formats that browsers
 * execute, such as SVG.
 */
const IMAGES: readonly Signature[] = [
  { name: 'png', contentType: 'image/png', extension: 'png', matches: (head) => has(head, 0, '\x89PNG\r\n\x1a\n') },
  { name: 'jpeg', contentType: 'image/jpeg', extension: 'jpg', matches: (head) => has(head, 0, '\xff\xd8\xff') },
  { name: 'webp', contentType: 'image/webp', extension: 'webp', matches: (head) => has(head, 0, 'RIFF') && has(head, 8, 'WEBP') },
  { name: 'gif', contentType: 'image/gif', extension: 'gif', matches: (head) => has(head, 0, 'GIF8') },
];

const AUDIO: readonly Signature[] = [
  { name: 'wav', contentType: 'audio/wav', extension: 'wav', matches: (head) => has(head, 0, 'RIFF') && has(head, 8, 'WAVE') },
  { name: 'flac', contentType: 'audio/flac', extension: 'flac', matches: (head) => has(head, 0, 'fLaC') },
  // Ogg is the container (RFC 7845).
  { name: 'opus', contentType: 'audio/ogg', extension: 'opus', matches: (head) => has(head, 0, 'OggS') },
  // An ADTS frame: twelve bits of sync, layer 0 (ISO/IEC 13818-7, 6.2).
  { name: 'aac', contentType: 'audio/aac', extension: 'aac', matches: (head) => head[0] === 0xff && masked(head[1], 0xf6) === 0xf0 },
  // An ID3 tag, or a frame: eleven bits of sync, layer III (ISO/IEC 11172-3, 2.4.1.3).
  {
    name: 'mp3',
    contentType: 'audio/mpeg',
    extension: 'mp3',
    matches: (head) => has(head, 0, 'ID3') || (head[0] === 0xff && masked(head[1], 0xe6) === 0xe2),
  },
];

const IMAGE_BRANDS = ['avi', 'he', 'mif', 'msf', 'jp'];

/** What can be transcribed besides: containers that also hold video. */
const CONTAINERS: readonly Signature[] = [
  // ISO/IEC 14496-12, 4.3; also QuickTime and M4A. HEIC and AVIF are images in the same container.
  {
    name: 'mp4',
    contentType: 'audio/mp4',
    extension: 'm4a',
    matches: (head) => isMp4(head) && !IMAGE_BRANDS.some((brand) => has(head, 8, brand)),
  },
  // An EBML header (RFC 8794, section 4).
  { name: 'webm', contentType: 'audio/webm', extension: 'webm', matches: (head) => has(head, 0, '\x1a\x45\xdf\xa3') },
];

export const TEXT: MediaFormat = { name: 'txt', contentType: 'text/plain; charset=utf-8', extension: 'txt' };

/** Raw samples, which have no header to detect. */
export const PCM: MediaFormat = { name: 'pcm', contentType: 'audio/pcm', extension: 'pcm' };

export const MP4: MediaFormat = { name: 'mp4', contentType: 'video/mp4', extension: 'mp4' };

/** The content type of media with such a name; `undefined` if its extension is none of those that the gateway gives. */
export function contentTypeOfName(name: string): string | undefined {
  const extension = /\.([a-z0-9]+)$/.exec(name)?.[1];
  return [...IMAGES, ...AUDIO, ...CONTAINERS, TEXT, PCM, MP4].find((format) => format.extension === extension)?.contentType;
}

/** The format and pixel size of an image, or `undefined` unless the bytes are a PNG, JPEG, WebP or GIF. */
export function inspectImage(bytes: Uint8Array): ImageInfo | undefined {
  const format = find(IMAGES, bytes);
  if (!format) return undefined;
  try {
    const { width, height } = imageSize(bytes);
    return width > 0 && height > 0 ? { format, width, height } : undefined;
  } catch {
    return undefined;
  }
}

/** The format of an audio file, by its first bytes; `undefined` for raw samples and anything else. */
export function recogniseAudio(head: Uint8Array): MediaFormat | undefined {
  return find(AUDIO, head);
}

/** The format of audio with this name. */
export function audioFormat(name: string): MediaFormat {
  return AUDIO.map(toFormat).find((format) => format.name === name) ?? PCM;
}

/** The format of a file with sound, by its first bytes. */
export function recogniseSound(head: Uint8Array): MediaFormat | undefined {
  return find([...AUDIO, ...CONTAINERS], head);
}

/** The format of an image, by its first bytes. */
export function recogniseImage(head: Uint8Array): MediaFormat | undefined {
  return find(IMAGES, head);
}

/** Whether this is the start of an MP4 file (ISO/IEC 14496-12, 4.3: the file type box comes first). */
export function isMp4(head: Uint8Array): boolean {
  return has(head, 4, 'ftyp');
}

/** Whether the file starts with an unambiguous text signature, not just bits that raw samples may also have. */
export function isNamedAudio({ name }: MediaFormat, head: Uint8Array): boolean {
  return name === 'wav' || name === 'flac' || name === 'opus' || has(head, 0, 'ID3');
}

/** Whether this looks like JSON, HTML or XML, which some servers send with status 200 instead of media. */
export function looksLikeText(head: Uint8Array): boolean {
  const hasMark = has(head, 0, '\xef\xbb\xbf');
  const text = [...head.subarray(hasMark ? 3 : 0)];
  const first = text.find((byte) => !isSpace(byte));
  return first !== undefined && '{[<'.includes(String.fromCharCode(first)) && text.every((byte) => byte >= 32 || isSpace(byte));
}

function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}

function find(signatures: readonly Signature[], head: Uint8Array): MediaFormat | undefined {
  const found = signatures.find(({ matches }) => matches(head));
  return found && toFormat(found);
}

function toFormat({ name, contentType, extension }: Signature): MediaFormat {
  return { name, contentType, extension };
}

/** Whether the bytes at `offset` match the character codes of `text`. */
export function has(bytes: Uint8Array, offset: number, text: string): boolean {
  return [...text].every((character, index) => bytes[offset + index] === character.charCodeAt(0));
}

function masked(byte: number | undefined, mask: number): number {
  return (byte ?? 0) & mask;
}
