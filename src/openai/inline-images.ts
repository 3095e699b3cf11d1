import { createBase64Sink } from '../streams/base64-sink.ts';
import type { ByteReader } from '../streams/byte-reader.ts';

export type InlineImagesOptions = Readonly<{
  /** Further images are skipped. */
  maxImages: number;
  maxImageBytes: number;
  /** Limits the JSON around the images. */
  maxTextBytes: number;
  /** The names of the strings that hold them. By default, those of the images API. */
  fields?: readonly string[];
  /**
   * Receives an image, or what is wrong with it. Reading pauses until it resolves: true when the bytes are no longer
   * needed, so that their buffer is reused for the next image.
   */
  onImage: (index: number, image: Uint8Array<ArrayBuffer> | { problem: string }) => Promise<boolean>;
}>;

/** Replaces an image in the JSON, followed by its index. */
export const INLINE = 'inline:';

const QUOTE = '"'.charCodeAt(0);
const BACKSLASH = '\\'.charCodeAt(0);
const COLON = ':'.charCodeAt(0);
const COMMA = ','.charCodeAt(0);
const SPACE = ' '.charCodeAt(0);
/** Longer than the names of interest. */
const MAX_NAME_BYTES = 16;
const CHUNK_BYTES = 64 * 1024;
const DATA_URL = 'data:';

/**
 * `text`: in the JSON around the images; `head`: in the first bytes of a string that may be an image; `media-type`: in a
 * data: URL before its comma; `image`: in the base64.
 */
type Mode = 'text' | 'head' | 'media-type' | 'image';

/**
 * Reads JSON with images in its `b64_json` strings, and in `url` strings that are data: URLs (RFC 8259, RFC 2397).
 * Decodes the images as they arrive, one at a time, and returns the JSON text without them. Throws what the reader
 * throws, and `RangeError` when that text exceeds `maxTextBytes`.
 */
export async function readInlineImages(reader: ByteReader, options: InlineImagesOptions): Promise<string> {
  const fields = options.fields ?? ['b64_json', 'url'];
  const text = createText(options.maxTextBytes, fields);
  const sink = createBase64Sink(options.maxImageBytes);
  let mode: Mode = 'text';
  let head = '';
  let name = '';
  let images = 0;

  function beginImage(): void {
    sink.skip(images >= options.maxImages);
    mode = 'image';
  }

  async function endImage(): Promise<void> {
    const index = images++;
    text.append(`${INLINE}${index}"`);
    mode = 'text';
    if (index < options.maxImages) sink.reset(await options.onImage(index, sink.finish()));
  }

  /** The first bytes of a string show whether it is an image. */
  async function takeHead(byte: number): Promise<void> {
    if (byte !== QUOTE) head += String.fromCharCode(byte);
    if (head === DATA_URL) mode = 'media-type';
    else if (byte !== QUOTE && head.length < DATA_URL.length) return;
    else if (name === 'url' || head === '') {
      text.append(byte === QUOTE ? `${head}"` : head);
      text.enterString(byte !== QUOTE, head);
      mode = 'text';
    } else {
      beginImage();
      sink.write(new TextEncoder().encode(head), 0);
      if (byte === QUOTE) await endImage();
    }
  }

  async function take(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] ?? 0;
      if (mode === 'text') {
        name = text.take(byte) ?? '';
        if (name !== '') {
          mode = 'head';
          head = '';
        }
      } else if (mode === 'head') await takeHead(byte);
      else if (mode === 'media-type') {
        if (byte === COMMA) beginImage();
        else if (byte === QUOTE) await endImage();
      } else {
        at = sink.write(chunk, at);
        if (at < chunk.length) await endImage();
      }
    }
  }

  for (let buffer = new ArrayBuffer(CHUNK_BYTES); ; ) {
    const chunk = await reader.read(new Uint8Array(buffer));
    if (chunk.byteLength === 0) return text.toString();
    await take(chunk);
    buffer = chunk.buffer;
  }
}

/** Collects the JSON around the images, and tracks just enough syntax to match a string value to its name. */
function createText(maxBytes: number, fields: readonly string[]) {
  const decoder = new TextDecoder();
  let bytes = new Uint8Array(4096);
  let length = 0;
  let isInString = false;
  let isEscaped = false;
  let lastString = '';
  let pendingName = '';

  function push(byte: number): void {
    if (length >= maxBytes) throw new RangeError(`larger than ${maxBytes} bytes without its images`);
    if (length === bytes.length) {
      const larger = new Uint8Array(Math.min(maxBytes, length * 2));
      larger.set(bytes);
      bytes = larger;
    }
    bytes[length++] = byte;
  }

  function takeInString(byte: number): void {
    if (isEscaped) isEscaped = false;
    else if (byte === BACKSLASH) isEscaped = true;
    else if (byte === QUOTE) isInString = false;
    if (isInString && lastString.length < MAX_NAME_BYTES) lastString += String.fromCharCode(byte);
  }

  return {
    /** Consumes a byte; returns the name when the byte is the opening quote of that name's value. */
    take(byte: number): string | undefined {
      push(byte);
      if (isInString) {
        takeInString(byte);
        return undefined;
      }
      if (byte === QUOTE && pendingName !== '') {
        const name = pendingName;
        pendingName = '';
        // The caller consumes the value.
        if (fields.includes(name)) return name;
      }
      if (byte === QUOTE) {
        isInString = true;
        lastString = '';
      } else if (byte === COLON) pendingName = lastString;
      else if (byte > SPACE) pendingName = '';
      return undefined;
    },
    append(ascii: string): void {
      for (let index = 0; index < ascii.length; index++) push(ascii.charCodeAt(index));
    },
    /** Continues a string whose beginning has been appended. */
    enterString(isOpen: boolean, beginning: string): void {
      isInString = isOpen;
      isEscaped = isOpen && beginning.endsWith('\\') && !beginning.endsWith('\\\\');
      lastString = beginning;
    },
    toString: () => decoder.decode(bytes.subarray(0, length)),
  };
}
