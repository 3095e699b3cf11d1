import type { CreateOptions, CreateOutcome, ReplaceOutcome } from '../media/object-store.ts';
import { CACHE_CONTROL, NO_CACHE } from '../storage/cache-control.ts';
import { type RetriedResponse, retryPolicy, type StoreResponse, type StoreRuntime } from '../storage/requests.ts';
import { type ByteReader, fill } from '../streams/byte-reader.ts';
import { resultOf, type S3Requests } from './requests.ts';
import { escapeText } from './xml.ts';

type Created = Omit<CreateOutcome, 'bytes'>;

/** What to store, and how long to retry. */
type Upload = CreateOptions & Readonly<{ name: string }>;

/** An upload in parts that has been started. */
type Parts = Upload & Readonly<{ uploadId: string; writeId: string }>;

/** The smallest part that S3 takes, unless it is the last. R2 wants all of one size. */
const PART_BYTES = 5 * 1024 * 1024;
/**
 * Names a write in the metadata of its object. When the response to a write is lost and its retry finds an object, this
 * tells whose it is.
 */
const WRITE_ID = 'x-amz-meta-write-id';

/** PutObject with the whole body in memory, unless there is an object of that name. */
export async function putBytes(
  requests: S3Requests,
  runtime: StoreRuntime,
  { name, contentType, repeatable, mutable = false }: Upload,
  body: Uint8Array<ArrayBuffer>,
): Promise<Created> {
  const writeId = runtime.randomUUID();
  const cacheControl = mutable ? NO_CACHE : CACHE_CONTROL;
  const headers = { 'content-type': contentType, 'cache-control': cacheControl, 'if-none-match': '*', [WRITE_ID]: writeId };
  const response = await requests.send(name, { method: 'PUT', headers, init: () => runtime.bytesInit(body), ...retryPolicy(repeatable) });
  return outcomeOf(requests, response, { name, writeId, repeatable });
}

/** PutObject over the object with this ETag. */
export async function replaceBytes(
  requests: S3Requests,
  runtime: StoreRuntime,
  { name, contentType, etag }: Readonly<{ name: string; contentType: string; etag: string }>,
  body: Uint8Array<ArrayBuffer>,
): Promise<ReplaceOutcome> {
  const writeId = runtime.randomUUID();
  const headers = { 'content-type': contentType, 'cache-control': NO_CACHE, 'if-match': etag, [WRITE_ID]: writeId };
  const response = await requests.send(name, { method: 'PUT', headers, init: () => runtime.bytesInit(body) });
  if (response.ok) return { outcome: 'replaced', etag: etagOf(response) };
  if (response.status !== 412 && response.code !== 'NoSuchKey') throw requests.toError(response);
  const own = await findOwn(requests, response, { name, writeId, repeatable: true });
  return own ? { outcome: 'replaced', etag: etagOf(own) } : { outcome: 'changed' };
}

/** UploadPart for each chunk, retried individually, then CompleteMultipartUpload. A body of one chunk is a single PutObject. */
export async function putParts(requests: S3Requests, runtime: StoreRuntime, upload: Upload, body: ByteReader): Promise<CreateOutcome> {
  let parts: Parts | undefined;
  try {
    const etags: string[] = [];
    let bytes = 0;
    let buffer = new ArrayBuffer(PART_BYTES);
    for (;;) {
      const chunk = await fill(body, buffer);
      buffer = chunk.buffer;
      bytes += chunk.byteLength;
      const isLast = chunk.byteLength < PART_BYTES;
      if (isLast && !parts) return { ...(await putBytes(requests, runtime, upload, chunk)), bytes };
      parts ??= await start(requests, upload, runtime.randomUUID());
      if (chunk.byteLength > 0) etags.push(await putPart(requests, runtime, parts, etags.length + 1, chunk));
      if (isLast) return { ...(await complete(requests, parts, etags)), bytes };
    }
  } catch (error) {
    await Promise.all([body.cancel(error), parts && abort(requests, parts)]);
    throw error;
  }
}

async function start(requests: S3Requests, upload: Upload, writeId: string): Promise<Parts> {
  const { name, contentType, repeatable, mutable = false } = upload;
  const headers = { 'content-type': contentType, 'cache-control': mutable ? NO_CACHE : CACHE_CONTROL, [WRITE_ID]: writeId };
  const options = { resultElement: 'UploadId', ...retryPolicy(repeatable) };
  const response = await requests.send(name, { method: 'POST', query: 'uploads=', headers, ...options });
  const uploadId = response.ok ? resultOf(response, 'UploadId') : undefined;
  if (!uploadId) throw requests.toError(response);
  return { ...upload, uploadId, writeId };
}

async function putPart(
  requests: S3Requests,
  { bytesInit }: Pick<StoreRuntime, 'bytesInit'>,
  { name, uploadId, repeatable }: Parts,
  number: number,
  body: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const query = `partNumber=${number}&uploadId=${encodeURIComponent(uploadId)}`;
  const response = await requests.send(name, { method: 'PUT', query, init: () => bytesInit(body), ...retryPolicy(repeatable) });
  if (!response.ok) throw requests.toError(response);
  return etagOf(response);
}

/** The condition is also checked before, for stores that do not check it here. */
async function complete(requests: S3Requests, parts: Parts, etags: readonly string[]): Promise<Created> {
  const { name, uploadId, repeatable } = parts;
  if ((await requests.send(name, { method: 'HEAD' })).ok) {
    await abort(requests, parts);
    return { outcome: 'exists' };
  }
  const items = etags.map((etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escapeText(etag)}</ETag></Part>`);
  const body = `<CompleteMultipartUpload>${items.join('')}</CompleteMultipartUpload>`;
  const headers = { 'content-type': 'application/xml', 'if-none-match': '*' };
  const options = { resultElement: 'ETag', ...retryPolicy(repeatable) };
  const query = `uploadId=${encodeURIComponent(uploadId)}`;
  const response = await requests.send(name, { method: 'POST', query, headers, init: () => ({ body }), ...options });
  if (response.ok) return { outcome: 'created', etag: resultOf(response, 'ETag') };
  const result = await outcomeOf(requests, response, parts);
  if (result.outcome === 'exists') await abort(requests, parts);
  return result;
}

/** Discards the parts; those that an outage leaves are for the bucket's lifecycle rule. */
async function abort(requests: S3Requests, { name, uploadId }: Parts): Promise<void> {
  await requests.send(name, { method: 'DELETE', query: `uploadId=${encodeURIComponent(uploadId)}` });
}

type Write = Readonly<{ name: string; writeId: string; repeatable: boolean }>;

async function outcomeOf(requests: S3Requests, response: RetriedResponse, write: Write): Promise<Created> {
  if (response.ok) return { outcome: 'created', etag: etagOf(response) };
  // An upload that is unknown by now was completed by an earlier attempt.
  if (response.status !== 412 && response.code !== 'NoSuchUpload') throw requests.toError(response);
  const own = await findOwn(requests, response, write);
  if (own) return { outcome: 'created', etag: etagOf(own) };
  if (response.status !== 412) throw requests.toError(response);
  return { outcome: 'exists' };
}

/** The object, if an earlier attempt of this write stored it and only the response was lost. */
async function findOwn(requests: S3Requests, { attempts }: RetriedResponse, write: Write): Promise<StoreResponse | undefined> {
  const { name, writeId, repeatable } = write;
  if (attempts === 1) return undefined;
  const found = await requests.send(name, { method: 'HEAD', ...retryPolicy(repeatable) });
  if (!found.ok && found.status !== 404) throw requests.toError(found);
  return found.headers?.get(WRITE_ID) === writeId ? found : undefined;
}

function etagOf({ headers }: StoreResponse): string {
  return headers?.get('etag') ?? '';
}
