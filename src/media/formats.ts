import { imageSize } from 'image-size';

/** A format the gateway stores: what it is called, served as, and ends with. */
export type MediaFormat = Readonly<{ contentType: string; extension: string }>;

export type ImageInfo = Readonly<{ format: MediaFormat; width: number; height: number }>;

/**
 * Images are recognised by their first bytes, never by what a header or a caller claims, and only those that no
 * browser would run as a page: no SVG.
 */
const IMAGE_FORMATS: readonly (MediaFormat & { matches: (bytes: Uint8Array) => boolean })[] = [
  {
    contentType: 'image/png',
    extension: 'png',
    matches: (bytes) => startsWith(bytes, 0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
  },
  { contentType: 'image/jpeg', extension: 'jpg', matches: (bytes) => startsWith(bytes, 0, [0xff, 0xd8, 0xff]) },
  {
    contentType: 'image/webp',
    extension: 'webp',
    matches: (bytes) => startsWith(bytes, 0, ascii('RIFF')) && startsWith(bytes, 8, ascii('WEBP')),
  },
  { contentType: 'image/gif', extension: 'gif', matches: (bytes) => startsWith(bytes, 0, ascii('GIF8')) },
];

/** The format and the size in pixels of an image, or `undefined` when the bytes are not a PNG, JPEG, WebP or GIF. */
export function inspectImage(bytes: Uint8Array): ImageInfo | undefined {
  const found = IMAGE_FORMATS.find((format) => format.matches(bytes));
  if (!found) return undefined;
  try {
    const { width, height } = imageSize(bytes);
    return { format: { contentType: found.contentType, extension: found.extension }, width, height };
  } catch {
    return undefined;
  }
}

function startsWith(bytes: Uint8Array, offset: number, expected: readonly number[]): boolean {
  return expected.every((byte, index) => bytes[offset + index] === byte);
}

function ascii(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0));
}
