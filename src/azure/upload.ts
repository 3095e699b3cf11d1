import { type ByteReader, concatenate } from './byte-reader.ts';
import type { BlobAnswer, BlobRequests, BlobRuntime, FixedLengthBody } from './requests.ts';
import { createStallWatch, type StallWatch } from './stall-watch.ts';

/** `exists`: there was a blob of this name already, and it was left as it is. */
export type PutOutcome = 'created' | 'exists';

/** What became of a body, and how many bytes of it were read. */
export type StreamOutcome = Readonly<{ outcome: PutOutcome; bytes: number }>;

const MIB = 1024 * 1024;
/** What is passed on at once of a body of known length. */
const CHUNK_BYTES = 64 * 1024;
/** A body's first blocks are small, so that its upload starts soon; the later ones keep the number of requests low. */
const BLOCK_SIZES = [
  { below: 4, bytes: MIB / 4 },
  { below: 8, bytes: MIB },
  { below: Number.POSITIVE_INFINITY, bytes: 5 * MIB },
];
/** A body is sent as fast as it comes; whether it stalls is watched where it is read. */
const STREAM_TIMEOUT_MS = 15 * 60_000;
/** Names are never reused, so what is stored under one never changes. */
const CACHE_CONTROL = 'public, max-age=31536000, immutable';

/** Put Blob with the whole body at hand, tried again after passing faults. */
export async function putBytes(
  requests: BlobRequests,
  name: string,
  body: Uint8Array<ArrayBuffer>,
  contentType: string,
): Promise<PutOutcome> {
  const answer = await requests.send(name, {
    method: 'PUT',
    permissions: 'cw',
    headers: putBlobHeaders(contentType),
    init: () => ({ body }),
  });
  // When it exists at a second try, the first one was stored and only its answer was lost.
  return outcomeOf(requests, answer, answer.attempts > 1);
}

/**
 * Put Blob with a body of known length that is sent as it arrives. With `keep`, what has been read is kept in memory,
 * and a failed request is followed by others with the whole body.
 */
export async function putFixedLength(
  requests: BlobRequests,
  runtime: BlobRuntime,
  name: string,
  { body, lengthBytes, keep }: { body: ByteReader; lengthBytes: number; keep: boolean },
  contentType: string,
): Promise<StreamOutcome> {
  const kept: Uint8Array<ArrayBuffer>[] | undefined = keep ? [] : undefined;
  const sink = runtime.fixedLengthBody(lengthBytes);
  const stalled = new AbortController();
  const watch = createStallWatch(runtime, () => stalled.abort());
  const sending = requests.attempt(name, {
    method: 'PUT',
    permissions: 'cw',
    headers: putBlobHeaders(contentType),
    init: () => sink.init,
    timeoutMs: STREAM_TIMEOUT_MS,
    signal: stalled.signal,
  });
  // An answer that comes before the body's end is a refusal: then nobody reads the rest.
  const answered = sending.finally(() => sink.abort());
  await pump(body, { sink, watch, kept });
  watch.begin();
  const answer = await answered;
  watch.end();
  if (answer.passing && kept) {
    await pump(body, { kept });
    return { outcome: await putBytes(requests, name, concatenate(kept), contentType), bytes: lengthBytes };
  }
  if (!answer.ok) await body.cancel();
  // A connection that broke says nothing: the blob may be there, or an answer have been lost that tells why not.
  const known = answer.status === undefined ? await requests.attempt(name, { method: 'HEAD', permissions: 'r' }) : answer;
  if (answer.status === undefined && known.status === 404) throw requests.toError(answer);
  return { outcome: outcomeOf(requests, known, false), bytes: lengthBytes };
}

type PumpOptions = Readonly<{
  sink?: FixedLengthBody;
  /** Watches over the sink; the body is watched where it is read. */
  watch?: StallWatch;
  kept: Uint8Array<ArrayBuffer>[] | undefined;
}>;

/**
 * Passes a body on through one buffer, until it ends or nobody takes it any more. When the body fails, the request is
 * broken off, so that nothing is committed, and the failure is thrown.
 */
async function pump(body: ByteReader, { sink, watch, kept }: PumpOptions): Promise<void> {
  let buffer = new ArrayBuffer(CHUNK_BYTES);
  try {
    for (;;) {
      const chunk = await body.read(new Uint8Array(buffer));
      if (chunk.byteLength === 0) break;
      buffer = chunk.buffer;
      kept?.push(chunk.slice());
      watch?.begin();
      const isWanted = sink ? await sink.write(chunk) : true;
      watch?.end();
      if (!isWanted) return;
    }
  } catch (error) {
    await sink?.abort();
    throw error;
  }
  await sink?.close();
}

/** Put Block for each piece, tried again by itself, then Put Block List. A body that fits into one piece is one Put Blob. */
export async function putBlocks(
  requests: BlobRequests,
  runtime: BlobRuntime,
  name: string,
  body: ByteReader,
  contentType: string,
): Promise<StreamOutcome> {
  // Of this upload alone, so that two at the same moment do not mix their blocks.
  const prefix = crypto.randomUUID().slice(0, 8);
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
      if (isLast && ids.length === 0) return { outcome: await putBytes(requests, name, piece, contentType), bytes };
      if (piece.byteLength > 0)
        ids.push(await putBlock(requests, runtime, name, `${prefix}-${String(ids.length).padStart(6, '0')}`, piece));
      if (isLast) return { outcome: await commit(requests, name, ids, contentType), bytes };
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
  name: string,
  label: string,
  body: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const id = btoa(label);
  const query = `comp=block&blockid=${encodeURIComponent(id)}`;
  const answer = await requests.send(name, { method: 'PUT', permissions: 'w', query, init: () => bytesInit(body) });
  if (!answer.ok) throw requests.toError(answer);
  return id;
}

async function commit(requests: BlobRequests, name: string, ids: readonly string[], contentType: string): Promise<PutOutcome> {
  const body = `<?xml version="1.0" encoding="utf-8"?><BlockList>${ids.map((id) => `<Latest>${id}</Latest>`).join('')}</BlockList>`;
  const headers = { 'if-none-match': '*', 'x-ms-blob-content-type': contentType, 'x-ms-blob-cache-control': CACHE_CONTROL };
  const answer = await requests.send(name, { method: 'PUT', permissions: 'cw', query: 'comp=blocklist', headers, init: () => ({ body }) });
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

function outcomeOf(requests: BlobRequests, answer: BlobAnswer, isOwn: boolean): PutOutcome {
  if (answer.ok) return 'created';
  if (answer.code === 'BlobAlreadyExists' || answer.status === 412) return isOwn ? 'created' : 'exists';
  throw requests.toError(answer);
}
