/**
 * Reads bytes into memory of the caller's, so that a body of any size takes no more than one buffer. As with BYOB
 * readers, the buffer that is given is gone afterwards, and the one that is returned takes its place.
 */
export type ByteReader = Readonly<{
  /** Resolves with the bytes that were read, at the start of `into`; with none at the end. */
  read(into: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** Lets the rest go. Never throws. */
  cancel(reason?: unknown): Promise<void>;
}>;

/** Reads a stream: without copying when it is a byte stream, as the bodies of answers are. */
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
  let rest: Uint8Array = new Uint8Array(0);
  return {
    async read(into) {
      while (rest.byteLength === 0) {
        const { value } = await reader.read();
        if (!value) return into.subarray(0, 0);
        rest = value;
      }
      const length = Math.min(into.byteLength, rest.byteLength);
      into.set(rest.subarray(0, length));
      rest = rest.subarray(length);
      return into.subarray(0, length);
    },
    cancel: (reason) => reader.cancel(reason).catch(() => {}),
  };
}

const STREAM_CHUNK_BYTES = 16 * 1024;

/** A stream of what the reader reads, for those who take nothing else. */
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

/** The bytes of all chunks, one after the other. */
export function concatenate(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.byteLength, 0));
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return all;
}
