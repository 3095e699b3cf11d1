import { type ByteReader, concatenate, readerOf } from '../azure/byte-reader.ts';
import { createStallWatch, STALL_MS } from '../azure/stall-watch.ts';
import { GatewayError } from '../errors.ts';

const SECOND_MS = 1000;
const CHUNK_BYTES = 64 * 1024;

export type BodyOptions = Readonly<{
  /** How errors name who sends it. */
  service: string;
  /** Whether opening it again costs money. */
  paid: boolean;
  maxBytes: number;
  /** Milliseconds since the epoch. */
  now: () => number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}>;

/** A body whose first bytes have been looked at, and which still has them all. */
export type OpenedBody = Readonly<{
  head: Uint8Array;
  reader: ByteReader;
  /** `undefined` when the answer does not say, or is compressed and therefore says something else. */
  lengthBytes: number | undefined;
}>;

/**
 * Opens the body of an answer up to its first few (`headBytes`) bytes. Reading throws an `upstream_answer` failure when the
 * body breaks off, ends before or after its declared length, is longer than `maxBytes`, or stalls.
 */
export async function openBody(response: Response, headBytes: number, options: BodyOptions): Promise<OpenedBody> {
  const lengthBytes = declaredLength(response.headers);
  const guarded = guard(readerOf(response.body ?? new Blob().stream()), lengthBytes, options);
  const head = new Uint8Array(headBytes);
  let seen = 0;
  while (seen < headBytes) {
    const chunk = await guarded.read(new Uint8Array(headBytes - seen));
    if (chunk.byteLength === 0) break;
    head.set(chunk, seen);
    seen += chunk.byteLength;
  }
  return { head: head.subarray(0, seen), reader: withHead(head.subarray(0, seen), guarded), lengthBytes };
}

function declaredLength(headers: Headers): number | undefined {
  const encoding = headers.get('content-encoding') ?? 'identity';
  const length = headers.get('content-length');
  return encoding === 'identity' && length !== null && /^\d+$/.test(length) ? Number(length) : undefined;
}

/** Gives the bytes that were looked at once more, before the others. */
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

function guard(reader: ByteReader, lengthBytes: number | undefined, options: BodyOptions): ByteReader {
  const { service, paid, maxBytes } = options;
  const watch = createStallWatch(options, () => reader.cancel());
  let total = 0;

  function fail(problem: string, cause?: unknown): never {
    watch.end();
    const error = new GatewayError({ kind: 'upstream_answer', service, problem, paid }, { cause });
    // Not awaited: letting go of a body that has stalled may take as long as the body itself.
    reader.cancel(error).catch(() => {});
    throw error;
  }

  return {
    async read(into) {
      watch.begin();
      const chunk = await reader
        .read(into)
        .catch((cause: unknown) => (watch.hasStalled() ? new Uint8Array(0) : fail('its body broke off', cause)));
      watch.end();
      if (watch.hasStalled()) fail(`its body stalled for ${STALL_MS / SECOND_MS} s`);
      total += chunk.byteLength;
      if (total > maxBytes) fail(`its body is larger than ${maxBytes} bytes`);
      if (lengthBytes !== undefined && total > lengthBytes) fail(`its body is longer than the ${lengthBytes} bytes it declared`);
      const isEnd = chunk.byteLength === 0;
      if (isEnd && lengthBytes !== undefined && total < lengthBytes) fail(`its body ended after ${total} of ${lengthBytes} bytes`);
      return chunk;
    },
    cancel: (reason) => reader.cancel(reason),
  };
}

/** All that is left of a body; its `maxBytes` bound what that takes in memory. */
export async function readWhole(reader: ByteReader): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for (let buffer = new ArrayBuffer(CHUNK_BYTES); ; ) {
    const chunk = await reader.read(new Uint8Array(buffer));
    if (chunk.byteLength === 0) return concatenate(chunks);
    chunks.push(chunk.slice());
    buffer = chunk.buffer;
  }
}
