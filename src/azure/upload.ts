import { STORAGE_RETRY_MS } from '../limits.ts';
import type { CreateOptions, CreateOutcome } from '../media/object-store.ts';
import type { ByteReader } from '../streams/byte-reader.ts';
import type { BlobAnswer, BlobRequests, BlobRuntime } from './requests.ts';

type Outcome = CreateOutcome['outcome'];

const MIB = 1024 * 1024;
/** A body's first blocks are small, so that its upload starts soon; the later ones keep the number of requests low. */
const BLOCK_SIZES = [
  { below: 4, bytes: MIB / 4 },
  { below: 8, bytes: MIB },
  { below: Number.POSITIVE_INFINITY, bytes: 4 * MIB },
];
/** Names are never reused, so what is stored under one never changes. */
const CACHE_CONTROL = 'public, max-age=31536000, immutable';

/** What is to be stored, and how long that is tried: content that can be had again is not worth minutes. */
type Upload = CreateOptions & Readonly<{ name: string }>;

/** Put Blob with the whole body at hand, tried again after transient faults. */
export async function putBytes(
  requests: BlobRequests,
  { bytesInit }: Pick<BlobRuntime, 'bytesInit'>,
  { name, contentType, repeatable }: Upload,
  body: Uint8Array<ArrayBuffer>,
): Promise<Outcome> {
  const answer = await requests.send(name, {
    method: 'PUT',
    permissions: 'cw',
    headers: putBlobHeaders(contentType),
    init: () => bytesInit(body),
    ...patience(repeatable),
  });
  // When it exists at a second try, the first one was stored and only its response was lost.
  return outcomeOf(requests, answer, answer.attempts > 1);
}

/** Put Blob in place of the blob of this ETag. When only the response to a first attempt was lost, the blob's content tells. */
export async function replaceBytes(
  requests: BlobRequests,
  { bytesInit }: Pick<BlobRuntime, 'bytesInit'>,
  { name, contentType, etag }: Readonly<{ name: string; contentType: string; etag: string }>,
  body: Uint8Array<ArrayBuffer>,
): Promise<'replaced' | 'changed'> {
  const headers = { 'content-type': contentType, 'if-match': etag, 'x-ms-blob-type': 'BlockBlob', 'x-ms-blob-cache-control': 'no-store' };
  const answer = await requests.send(name, { method: 'PUT', permissions: 'w', headers, init: () => bytesInit(body) });
  if (answer.ok) return 'replaced';
  if (answer.status !== 412 && answer.status !== 404) throw requests.toError(answer);
  if (answer.attempts === 1) return 'changed';
  const now = await requests.send(name, { method: 'GET', permissions: 'r', maxBodyBytes: body.byteLength });
  return now.body && equal(now.body, body) ? 'replaced' : 'changed';
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index]);
}

function patience(repeatable: boolean): { retryForMs?: number } {
  return repeatable ? {} : { retryForMs: STORAGE_RETRY_MS };
}

/** Put Block for each piece, tried again by itself, then Put Block List. A body that fits into one piece is one Put Blob. */
export async function putBlocks(requests: BlobRequests, runtime: BlobRuntime, upload: Upload, body: ByteReader): Promise<CreateOutcome> {
  // Of this upload alone, so that two at the same moment do not mix their blocks.
  const prefix = runtime.randomUUID().slice(0, 8);
  const ids: string[] = [];
  let bytes = 0;
  let buffer = new ArrayBuffer(0);
  try {
    for (;;) {
      const size = blockSize(ids.length);
      if (buffer.byteLength !== size) buffer = new ArrayBuffer(size);
      const piece = await fill(body, buffer);
      buffer = piece.buffer;
      bytes += piece.byteLength;
      const isLast = piece.byteLength < size;
      if (isLast && ids.length === 0) return { outcome: await putBytes(requests, runtime, upload, piece), bytes };
      if (piece.byteLength > 0)
        ids.push(await putBlock(requests, runtime, upload, `${prefix}-${String(ids.length).padStart(6, '0')}`, piece));
      if (isLast) return { outcome: await commit(requests, upload, ids), bytes };
    }
  } catch (error) {
    await body.cancel(error);
    throw error;
  }
}

function blockSize(index: number): number {
  return BLOCK_SIZES.find(({ below }) => index < below)?.bytes ?? MIB;
}

/** Reads until the buffer is full or the body has ended; resolves with what was read, in the buffer that took its place. */
async function fill(body: ByteReader, buffer: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
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

async function putBlock(
  requests: BlobRequests,
  { bytesInit }: BlobRuntime,
  { name, repeatable }: Upload,
  label: string,
  body: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const id = btoa(label);
  const query = `comp=block&blockid=${encodeURIComponent(id)}`;
  const init = () => bytesInit(body);
  const answer = await requests.send(name, { method: 'PUT', permissions: 'w', query, init, ...patience(repeatable) });
  if (!answer.ok) throw requests.toError(answer);
  return id;
}

async function commit(requests: BlobRequests, { name, contentType, repeatable }: Upload, ids: readonly string[]): Promise<Outcome> {
  const body = `<?xml version="1.0" encoding="utf-8"?><BlockList>${ids.map((id) => `<Latest>${id}</Latest>`).join('')}</BlockList>`;
  const headers = { 'if-none-match': '*', 'x-ms-blob-content-type': contentType, 'x-ms-blob-cache-control': CACHE_CONTROL };
  const operation = { method: 'PUT', permissions: 'cw', query: 'comp=blocklist', headers, init: () => ({ body }) } as const;
  const answer = await requests.send(name, { ...operation, ...patience(repeatable) });
  if (answer.code !== 'InvalidBlockList') return outcomeOf(requests, answer, answer.attempts > 1);
  // Whoever commits first makes the blocks of the others void: then there is a blob by now.
  const found = await requests.send(name, { method: 'HEAD', permissions: 'r' });
  if (found.ok) return 'exists';
  throw requests.toError(answer);
}

/** The headers of Put Blob; `If-None-Match` keeps what is there already. */
function putBlobHeaders(contentType: string): Record<string, string> {
  return {
    'content-type': contentType,
    'if-none-match': '*',
    'x-ms-blob-type': 'BlockBlob',
    'x-ms-blob-cache-control': CACHE_CONTROL,
  };
}

function outcomeOf(requests: BlobRequests, answer: BlobAnswer, isOwn: boolean): Outcome {
  if (answer.ok) return 'created';
  if (answer.code === 'BlobAlreadyExists' || answer.status === 412) return isOwn ? 'created' : 'exists';
  throw requests.toError(answer);
}
