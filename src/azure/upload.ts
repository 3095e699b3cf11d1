import type { BlobAnswer, BlobRequests, BlobRuntime } from './requests.ts';

/** `exists`: there was a blob of this name already, and it was left as it is. */
export type PutOutcome = 'created' | 'exists';

/** What became of a stream, and how many bytes of it were read. */
export type StreamOutcome = Readonly<{ outcome: PutOutcome; bytes: number }>;

const MIB = 1024 * 1024;
/** A stream's first blocks are small, so that its upload starts soon; the later ones keep the number of requests low. */
const SMALL_BLOCK_BYTES = MIB;
const SMALL_BLOCKS = 8;
const BLOCK_BYTES = 8 * MIB;
/** A stream is sent as fast as it comes; whether it stalls is watched where it is read. */
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
  const answer = await requests.send(name, { method: 'PUT', permissions: 'cw', headers: putBlobHeaders(contentType), init: { body } });
  // When it exists at a second try, the first one was stored and only its answer was lost.
  return outcomeOf(requests, answer, answer.attempts > 1);
}

/**
 * Put Blob with a body of known length that is sent as it arrives. With `keep`, what has been read is kept in memory,
 * and a failed request is followed by others with the whole body.
 */
export async function putFixedLength(
  requests: BlobRequests,
  { fixedLengthInit }: BlobRuntime,
  name: string,
  { body, lengthBytes, keep }: { body: ReadableStream<Uint8Array>; lengthBytes: number; keep: boolean },
  contentType: string,
): Promise<StreamOutcome> {
  const source = observe(body, keep);
  const answer = await requests.attempt(name, {
    method: 'PUT',
    permissions: 'cw',
    headers: putBlobHeaders(contentType),
    init: fixedLengthInit(source.stream, lengthBytes),
    timeoutMs: STREAM_TIMEOUT_MS,
  });
  const failed = source.failure();
  if (failed) throw failed.error;
  if (answer.passing && keep) {
    const outcome = await putBytes(requests, name, await source.readAll(), contentType);
    return { outcome, bytes: lengthBytes };
  }
  if (!answer.ok) await source.cancel();
  return { outcome: outcomeOf(requests, answer, false), bytes: lengthBytes };
}

/** Put Block for each piece, tried again by itself, then Put Block List. A stream that fits into one piece is one Put Blob. */
export async function putBlocks(
  requests: BlobRequests,
  name: string,
  body: ReadableStream<Uint8Array>,
  contentType: string,
): Promise<StreamOutcome> {
  const pieces = createPieceReader(body);
  // Of this upload alone, so that two at the same moment do not mix their blocks.
  const prefix = crypto.randomUUID().slice(0, 8);
  const ids: string[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const piece = await pieces.read(ids.length < SMALL_BLOCKS ? SMALL_BLOCK_BYTES : BLOCK_BYTES);
      bytes += piece.bytes.byteLength;
      if (piece.last && ids.length === 0) return { outcome: await putBytes(requests, name, piece.bytes, contentType), bytes };
      if (piece.bytes.byteLength > 0)
        ids.push(await putBlock(requests, name, `${prefix}-${String(ids.length).padStart(6, '0')}`, piece.bytes));
      if (piece.last) return { outcome: await commit(requests, name, ids, contentType), bytes };
    }
  } catch (error) {
    await pieces.cancel(error);
    throw error;
  }
}

async function putBlock(requests: BlobRequests, name: string, label: string, body: Uint8Array<ArrayBuffer>): Promise<string> {
  const id = btoa(label);
  const answer = await requests.send(name, {
    method: 'PUT',
    permissions: 'w',
    query: `comp=block&blockid=${encodeURIComponent(id)}`,
    init: { body },
  });
  if (!answer.ok) throw requests.toError(answer);
  return id;
}

async function commit(requests: BlobRequests, name: string, ids: readonly string[], contentType: string): Promise<PutOutcome> {
  const body = `<?xml version="1.0" encoding="utf-8"?><BlockList>${ids.map((id) => `<Latest>${id}</Latest>`).join('')}</BlockList>`;
  const headers = { 'if-none-match': '*', 'x-ms-blob-content-type': contentType, 'x-ms-blob-cache-control': CACHE_CONTROL };
  const answer = await requests.send(name, { method: 'PUT', permissions: 'cw', query: 'comp=blocklist', headers, init: { body } });
  if (answer.code !== 'InvalidBlockList') return outcomeOf(requests, answer, answer.attempts > 1);
  // Whoever commits first makes the blocks of the others void: then there is a blob by now.
  const found = await requests.send(name, { method: 'HEAD', permissions: 'r' });
  if (found.ok) return 'exists';
  throw requests.toError(answer);
}

/** The headers of Put Blob; `If-None-Match` keeps what is there already. */
function putBlobHeaders(contentType: string): Record<string, string> {
  return { 'content-type': contentType, 'if-none-match': '*', 'x-ms-blob-type': 'BlockBlob', 'x-ms-blob-cache-control': CACHE_CONTROL };
}

function outcomeOf(requests: BlobRequests, answer: BlobAnswer, isOwn: boolean): PutOutcome {
  if (answer.ok) return 'created';
  if (answer.code === 'BlobAlreadyExists') return isOwn ? 'created' : 'exists';
  throw requests.toError(answer);
}

/** Passes a stream on, and remembers how it failed and, with `keep`, what came; the rest can be read when nobody else does. */
function observe(body: ReadableStream<Uint8Array>, keep: boolean) {
  const reader = body.getReader();
  const kept: Uint8Array[] = [];
  let failure: { error: unknown } | undefined;
  let dropped = false;

  async function next(): Promise<Uint8Array | undefined> {
    try {
      const { value } = await reader.read();
      if (value && keep) kept.push(value);
      return value;
    } catch (error) {
      failure = { error };
      throw error;
    }
  }

  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const value = await next();
      if (dropped) return;
      if (value) controller.enqueue(value);
      else controller.close();
    },
    cancel: () => {
      dropped = true;
    },
  });

  return {
    stream,
    failure: () => failure,
    cancel: () => reader.cancel().catch(() => {}),
    async readAll(): Promise<Uint8Array<ArrayBuffer>> {
      while (await next());
      return new Uint8Array(await new Blob(kept as Uint8Array<ArrayBuffer>[]).arrayBuffer());
    },
  };
}

/** Cuts a stream into pieces of the sizes asked for; only the last may be shorter, or empty. */
function createPieceReader(body: ReadableStream<Uint8Array>) {
  const reader = body.getReader();
  let rest: Uint8Array = new Uint8Array(0);

  async function read(sizeBytes: number): Promise<{ bytes: Uint8Array<ArrayBuffer>; last: boolean }> {
    const piece = new Uint8Array(sizeBytes);
    let filled = 0;
    for (;;) {
      const taken = rest.subarray(0, sizeBytes - filled);
      piece.set(taken, filled);
      filled += taken.byteLength;
      rest = rest.subarray(taken.byteLength);
      if (filled === sizeBytes) return { bytes: piece, last: false };
      const { value } = await reader.read();
      if (!value) return { bytes: piece.slice(0, filled), last: true };
      rest = value;
    }
  }

  return { read, cancel: (reason: unknown) => reader.cancel(reason).catch(() => {}) };
}
