import type { Clock } from '../ports.ts';
import { type ByteReader, bodyReaderOf, concatenate } from './byte-reader.ts';
import { createSlowWatch, type Pace } from './slow-watch.ts';

export type BodyOptions = Pace &
  Readonly<{
    clock: Clock;
    maxBytes: number;
    /** Converts a problem, such as "its body was cut off", into the error to throw. */
    toError: (problem: string, cause?: unknown) => Error;
  }>;

/** A body with its first bytes peeked; the reader still returns all of them. */
export type OpenedBody = Readonly<{ head: Uint8Array; reader: ByteReader }>;

/**
 * Guards the body of a response: reading throws `toError` when the body is cut off, differs from its declared length,
 * exceeds `maxBytes`, or is too slow.
 */
export function guardBody(response: Response, options: BodyOptions): ByteReader {
  return guard(bodyReaderOf(response), declaredLength(response.headers), options);
}

/** Opens a guarded body and peeks at its first `headBytes` bytes. */
export async function openBody(response: Response, headBytes: number, options: BodyOptions): Promise<OpenedBody> {
  const guarded = guardBody(response, options);
  const head = new Uint8Array(headBytes);
  let seen = 0;
  while (seen < headBytes) {
    const chunk = await guarded.read(new Uint8Array(headBytes - seen));
    if (chunk.byteLength === 0) break;
    head.set(chunk, seen);
    seen += chunk.byteLength;
  }
  return { head: head.subarray(0, seen), reader: withHead(head.subarray(0, seen), guarded) };
}

const CHUNK_BYTES = 64 * 1024;
const FIRST_CHUNK_BYTES = 4 * 1024;

/** Reads all of a guarded body; `maxBytes` limits the memory used. */
export async function readBody(response: Response, options: BodyOptions): Promise<Uint8Array<ArrayBuffer>> {
  const reader = guardBody(response, options);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  // Small at first, as most bodies are.
  let sizeBytes = Math.min(CHUNK_BYTES, declaredLength(response.headers) ?? FIRST_CHUNK_BYTES);
  for (;;) {
    const chunk = await reader.read(new Uint8Array(Math.max(sizeBytes, 1)));
    if (chunk.byteLength === 0) return chunks.length === 1 && chunks[0] ? chunks[0] : concatenate(chunks);
    // A buffer that is mostly full is kept without copying.
    chunks.push(chunk.byteLength * 2 > sizeBytes ? chunk : chunk.slice());
    sizeBytes = chunks.length === 1 ? FIRST_CHUNK_BYTES : CHUNK_BYTES;
  }
}

/** `undefined` when the response declares no length, or declares the compressed one. */
export function declaredLength(headers: Headers): number | undefined {
  const encoding = headers.get('content-encoding') ?? 'identity';
  const length = headers.get('content-length');
  return encoding === 'identity' && length !== null && /^\d+$/.test(length) ? Number(length) : undefined;
}

/** Replays the peeked bytes before the rest. */
function withHead(head: Uint8Array, { read, cancel }: ByteReader): ByteReader {
  let rest = head;
  return {
    cancel,
    read(into) {
      if (rest.byteLength === 0) return read(into);
      const length = Math.min(into.byteLength, rest.byteLength);
      into.set(rest.subarray(0, length));
      rest = rest.subarray(length);
      return Promise.resolve(into.subarray(0, length));
    },
  };
}

function guard(reader: ByteReader, lengthBytes: number | undefined, { clock, maxBytes, toError, ...pace }: BodyOptions): ByteReader {
  const watch = createSlowWatch(clock, pace, () => reader.cancel());
  let total = 0;

  function fail(problem: string, cause?: unknown): never {
    watch.stop();
    const error = toError(problem, cause);
    // Not awaited: cancelling a stalled body may take as long as the body itself.
    reader.cancel(error).catch(() => {});
    throw error;
  }

  return {
    async read(into) {
      watch.begin();
      const chunk = await reader
        .read(into)
        .catch((cause: unknown) => (watch.problem() ? new Uint8Array(0) : fail('its body was cut off', cause)));
      watch.end(chunk.byteLength);
      const tooSlow = watch.problem();
      if (tooSlow) fail(tooSlow);
      total += chunk.byteLength;
      if (total > maxBytes) fail(`its body is larger than ${maxBytes} bytes`);
      if (lengthBytes !== undefined && total > lengthBytes) fail(`its body is longer than the ${lengthBytes} bytes it declared`);
      if (chunk.byteLength > 0) return chunk;
      if (lengthBytes !== undefined && total < lengthBytes) fail(`its body ended after ${total} of ${lengthBytes} bytes`);
      watch.stop();
      return chunk;
    },
    cancel(reason) {
      watch.stop();
      return reader.cancel(reason);
    },
  };
}
