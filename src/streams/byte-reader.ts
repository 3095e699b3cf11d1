/**
 * Reads bytes into the caller's memory, so that a body of any size needs only one buffer. As with BYOB readers, the
 * given buffer is detached, and the returned one replaces it.
 */
export type ByteReader = Readonly<{
  /** Resolves with the bytes read, at the start of `into`; empty at the end of the body. */
  read(into: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** Discards the rest. Never throws. */
  cancel(reason?: unknown): Promise<void>;
}>;

/** The method of a response that has a reader of its own, and needs no stream. */
export const READER = Symbol('reader');

export function bodyReaderOf(response: Response & { [READER]?: () => ByteReader }): ByteReader {
  return response[READER]?.() ?? readerOf(response.body ?? new Blob().stream());
}

/** Creates a reader for a stream: zero-copy for byte streams, such as response bodies. */
export function readerOf(stream: ReadableStream<Uint8Array>): ByteReader {
  return createByobReader(stream) ?? createCopyingReader(stream);
}

function createByobReader(stream: ReadableStream<Uint8Array>): ByteReader | undefined {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = stream.getReader({ mode: 'byob' });
  } catch {
    return undefined;
  }
  return {
    async read(into) {
      const { value } = await reader.read(into);
      return (value as Uint8Array<ArrayBuffer> | undefined) ?? new Uint8Array(0);
    },
    cancel: (reason) => reader.cancel(reason).catch(() => {}),
  };
}

function createCopyingReader(stream: ReadableStream<Uint8Array>): ByteReader {
  const reader = stream.getReader();
  return readerOfChunks(
    async () => (await reader.read()).value,
    (reason) => reader.cancel(reason).catch(() => {}),
  );
}

/** Creates a reader that copies from chunks of any size; `next` resolves to `undefined` at the end. */
export function readerOfChunks(next: () => Promise<Uint8Array | undefined>, cancel: ByteReader['cancel']): ByteReader {
  let rest: Uint8Array = new Uint8Array(0);
  return {
    async read(into) {
      while (rest.byteLength === 0) {
        const chunk = await next();
        if (!chunk) return into.subarray(0, 0);
        rest = chunk;
      }
      const length = Math.min(into.byteLength, rest.byteLength);
      into.set(rest.subarray(0, length));
      rest = rest.subarray(length);
      return into.subarray(0, length);
    },
    cancel,
  };
}

/** Reads until the buffer is full or the body ends; resolves with the bytes, in the buffer that replaced the given one. */
export async function fill(body: ByteReader, buffer: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
  let current = buffer;
  let filled = 0;
  while (filled < current.byteLength) {
    const chunk = await body.read(new Uint8Array(current, filled));
    if (chunk.byteLength === 0) return new Uint8Array(chunk.buffer.byteLength > 0 ? chunk.buffer : current, 0, filled);
    current = chunk.buffer;
    filled += chunk.byteLength;
  }
  return new Uint8Array(current);
}

const STREAM_CHUNK_BYTES = 16 * 1024;

/** Adapts a reader to a stream, for APIs that require one. */
export function streamOf({ read, cancel }: ByteReader): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      async pull(controller) {
        const chunk = await read(new Uint8Array(STREAM_CHUNK_BYTES));
        if (chunk.byteLength === 0) controller.close();
        else controller.enqueue(chunk);
      },
      cancel,
    },
    { highWaterMark: 0 },
  );
}

/** Joins all chunks. */
export function concatenate(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.byteLength, 0));
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return all;
}
