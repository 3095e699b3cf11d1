import type { ByteReader } from './byte-reader.ts';

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
