/** Incrementally decodes base64 from the raw bytes of a JSON string into one reusable buffer. */
export type Base64Sink = Readonly<{
  /** Consumes bytes from `start` to the string's closing quote; returns the quote's index, or the chunk's length if there is none. */
  write(chunk: Uint8Array, start: number): number;
  /** Returns the decoded bytes, or a problem. The bytes are valid until {@link Base64Sink.reset}. */
  finish(): Uint8Array<ArrayBuffer> | { problem: string };
  /** Starts over; allocates a new buffer unless the current one is `free`. */
  reset(free: boolean): void;
}>;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const UNICODE_ESCAPE = 'u'.charCodeAt(0);
const INITIAL_CAPACITY_BYTES = 1024 * 1024;

/** `maxBytes` limits the decoded size; `skip` consumes a string without decoding it. */
export function createBase64Sink(maxBytes: number): Base64Sink & { skip: (isSkipped: boolean) => void } {
  const ascii = new TextDecoder();
  let buffer = new ArrayBuffer(INITIAL_CAPACITY_BYTES);
  let filled = 0;
  let carry = '';
  let isEscaped = false;
  let escaped = '';
  let problem: string | undefined;
  let isSkipped = false;

  function decode(text: string, isLast: boolean): void {
    if (problem !== undefined || isSkipped) return;
    const whole = carry + text;
    const needed = filled + Math.ceil((whole.length * 3) / 4) + 3;
    if (needed > buffer.byteLength) buffer = buffer.transfer(Math.max(needed, buffer.byteLength * 2));
    try {
      const lastChunkHandling = isLast ? 'loose' : 'stop-before-partial';
      const { read, written } = new Uint8Array(buffer, filled).setFromBase64(whole, { lastChunkHandling });
      filled += written;
      carry = whole.slice(read).trim();
    } catch {
      problem = 'is not valid base64';
    }
    if (filled > maxBytes) problem = `is larger than ${maxBytes} bytes`;
  }

  /** `\/` and `\u002B` are base64 characters; `\n` and the like are whitespace. */
  function takeEscape(byte: number): void {
    escaped += String.fromCharCode(byte);
    if (escaped.charCodeAt(0) === UNICODE_ESCAPE && escaped.length < 5) return;
    if (escaped.charCodeAt(0) === UNICODE_ESCAPE) decode(String.fromCharCode(Number.parseInt(escaped.slice(1), 16)), false);
    else if (escaped === '/') decode('/', false);
    else if (!'nrt'.includes(escaped)) problem ??= 'is not valid base64';
    escaped = '';
    isEscaped = false;
  }

  return {
    write(chunk, start) {
      let at = start;
      let quote = -1;
      while (at < chunk.length) {
        if (isEscaped) {
          takeEscape(chunk[at++] ?? 0);
          continue;
        }
        if (quote < at) quote = indexOr(chunk.indexOf(QUOTE, at), chunk.length);
        const end = indexOr(chunk.subarray(0, quote).indexOf(BACKSLASH, at), quote);
        if (end > at) decode(ascii.decode(chunk.subarray(at, end)), false);
        if (end === quote) return quote;
        isEscaped = true;
        at = end + 1;
      }
      return at;
    },
    finish() {
      decode('', true);
      return problem === undefined ? new Uint8Array(buffer, 0, filled) : { problem };
    },
    reset(free) {
      if (!free) buffer = new ArrayBuffer(INITIAL_CAPACITY_BYTES);
      filled = 0;
      carry = '';
      problem = undefined;
    },
    skip(skipped) {
      isSkipped = skipped;
    },
  };
}

function indexOr(index: number, fallback: number): number {
  return index < 0 ? fallback : index;
}
