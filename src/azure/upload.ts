import type { CreateOptions, CreateOutcome, ReplaceOutcome } from '../media/object-store.ts';
import { CACHE_CONTROL, NO_CACHE } from '../storage/cache-control.ts';
import { type RetriedResponse, retryPolicy, type StoreResponse, type StoreRuntime } from '../storage/requests.ts';
import { type ByteReader, fill } from '../streams/byte-reader.ts';
import type { BlobRequests } from './requests.ts';

type Created = Omit<CreateOutcome, 'bytes'>;

const MIB = 1024 * 1024;
/** The first blocks are small, so that the upload starts early; later ones keep the number of requests low. */
const BLOCK_SIZES = [
  { below: 4, bytes: MIB / 4 },
  { below: 8, bytes: MIB },
  { below: Number.POSITIVE_INFINITY, bytes: 4 * MIB },
];
/** What to store, and how long to retry. */
type Upload = CreateOptions & Readonly<{ name: string }>;

/** Names a write in the metadata of its blob, which tells a retry whose blob it finds. */
const WRITE_ID = 'x-ms-meta-write_id';

/** Put Blob with the whole body in memory, retried after transient faults. */
export async function putBytes(
  requests: BlobRequests,
  { bytesInit, randomUUID }: Pick<StoreRuntime, 'bytesInit' | 'randomUUID'>,
  { name, contentType, repeatable, mutable = false }: Upload,
  body: Uint8Array<ArrayBuffer>,
): Promise<Created> {
  const writeId = randomUUID();
  const response = await requests.send(name, {
    method: 'PUT',
    permissions: 'cw',
    headers: { ...putBlobHeaders(contentType, mutable), [WRITE_ID]: writeId },
    init: () => bytesInit(body),
    ...retryPolicy(repeatable),
  });
  return outcomeOf(requests, response, { name, writeId, repeatable });
}

/** Put Blob over the blob with this ETag. If the response to an earlier attempt may be lost, compares the stored content. */
export async function replaceBytes(
  requests: BlobRequests,
  { bytesInit }: Pick<StoreRuntime, 'bytesInit'>,
  { name, contentType, etag }: Readonly<{ name: string; contentType: string; etag: string }>,
  body: Uint8Array<ArrayBuffer>,
): Promise<ReplaceOutcome> {
  const headers = { 'content-type': contentType, 'if-match': etag, 'x-ms-blob-type': 'BlockBlob', 'x-ms-blob-cache-control': NO_CACHE };
  const response = await requests.send(name, { method: 'PUT', permissions: 'w', headers, init: () => bytesInit(body) });
  if (response.ok) return { outcome: 'replaced', etag: etagOf(response) };
  if (response.status !== 412 && response.status !== 404) throw requests.toError(response);
  if (response.attempts === 1) return { outcome: 'changed' };
  const now = await requests.send(name, { method: 'GET', permissions: 'r', maxBodyBytes: body.byteLength });
  return now.body && equal(now.body, body) ? { outcome: 'replaced', etag: etagOf(now) } : { outcome: 'changed' };
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index]);
}

/** Put Block for each chunk, retried individually, then Put Block List. A body of one chunk is a single Put Blob. */
export async function putBlocks(requests: BlobRequests, runtime: StoreRuntime, upload: Upload, body: ByteReader): Promise<CreateOutcome> {
  const writeId = runtime.randomUUID();
  // Unique to this upload, so that concurrent uploads of one name do not mix their blocks.
  const prefix = writeId.slice(0, 8);
  const ids: string[] = [];
  let bytes = 0;
  let buffer = new ArrayBuffer(0);
  try {
    for (;;) {
      const size = blockSize(ids.length);
      if (buffer.byteLength !== size) buffer = new ArrayBuffer(size);
      const chunk = await fill(body, buffer);
      buffer = chunk.buffer;
      bytes += chunk.byteLength;
      const isLast = chunk.byteLength < size;
      if (isLast && ids.length === 0) return { ...(await putBytes(requests, runtime, upload, chunk)), bytes };
      if (chunk.byteLength > 0)
        ids.push(await putBlock(requests, runtime, upload, `${prefix}-${String(ids.length).padStart(6, '0')}`, chunk));
      if (isLast) return { ...(await commit(requests, { ...upload, writeId }, ids)), bytes };
    }
  } catch (error) {
    await body.cancel(error);
    throw error;
  }
}

function blockSize(index: number): number {
  return BLOCK_SIZES.find(({ below }) => index < below)?.bytes ?? MIB;
}

async function putBlock(
  requests: BlobRequests,
  { bytesInit }: StoreRuntime,
  { name, repeatable }: Upload,
  label: string,
  body: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const id = btoa(label);
  const query = `comp=block&blockid=${encodeURIComponent(id)}`;
  const init = () => bytesInit(body);
  const response = await requests.send(name, { method: 'PUT', permissions: 'w', query, init, ...retryPolicy(repeatable) });
  if (!response.ok) throw requests.toError(response);
  return id;
}

async function commit(requests: BlobRequests, upload: Upload & { writeId: string }, ids: readonly string[]): Promise<Created> {
  const { name, contentType, repeatable, writeId } = upload;
  const body = `<?xml version="1.0" encoding="utf-8"?><BlockList>${ids.map((id) => `<Latest>${id}</Latest>`).join('')}</BlockList>`;
  const content = { 'x-ms-blob-content-type': contentType, 'x-ms-blob-cache-control': CACHE_CONTROL };
  const headers = { 'if-none-match': '*', ...content, [WRITE_ID]: writeId };
  const operation = { method: 'PUT', permissions: 'cw', query: 'comp=blocklist', headers, init: () => ({ body }) } as const;
  const response = await requests.send(name, { ...operation, ...retryPolicy(repeatable) });
  if (response.code !== 'InvalidBlockList') return outcomeOf(requests, response, { name, writeId, repeatable });
  // The first commit discards the uncommitted blocks of concurrent uploads; then the blob exists by now.
  const found = await requests.send(name, { method: 'HEAD', permissions: 'r' });
  if (found.ok) return { outcome: 'exists' };
  throw requests.toError(response);
}

/** The headers of Put Blob; `If-None-Match` prevents overwriting. */
function putBlobHeaders(contentType: string, mutable: boolean): Record<string, string> {
  return {
    'content-type': contentType,
    'if-none-match': '*',
    'x-ms-blob-type': 'BlockBlob',
    'x-ms-blob-cache-control': mutable ? NO_CACHE : CACHE_CONTROL,
  };
}

type Write = Readonly<{ name: string; writeId: string; repeatable: boolean }>;

async function outcomeOf(requests: BlobRequests, response: RetriedResponse, write: Write): Promise<Created> {
  if (response.ok) return { outcome: 'created', etag: etagOf(response) };
  if (response.code !== 'BlobAlreadyExists' && response.status !== 412) throw requests.toError(response);
  return response.attempts > 1 ? whose(requests, write) : { outcome: 'exists' };
}

/** If the blob exists on a retry, an earlier attempt may have stored it, and only its response was lost. */
async function whose(requests: BlobRequests, { name, writeId, repeatable }: Write): Promise<Created> {
  const found = await requests.send(name, { method: 'HEAD', permissions: 'r', ...retryPolicy(repeatable) });
  // With a SAS that may only write, nobody else is expected to.
  if (found.status === 403) return { outcome: 'created' };
  if (!found.ok && found.status !== 404) throw requests.toError(found);
  return found.headers?.get(WRITE_ID) === writeId ? { outcome: 'created', etag: etagOf(found) } : { outcome: 'exists' };
}

function etagOf({ headers }: StoreResponse): string {
  return headers?.get('etag') ?? '';
}
