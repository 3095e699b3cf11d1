import { GatewayError } from '../errors.ts';
import { STORAGE_ATTEMPT_TIMEOUT_MS, STORAGE_RETRY_MS } from '../limits.ts';
import { type CreateOptions, type CreateOutcome, isObjectName, type ObjectInfo, type ServedStore } from '../media/object-store.ts';
import type { BucketLinks, Clock, Runtime } from '../ports.ts';
import type { ByteReader } from '../streams/byte-reader.ts';
import { fill } from '../streams/byte-reader.ts';
import { withTimeLimit } from '../streams/time-limit.ts';

type BucketObject = Readonly<{
  size: number;
  etag: string;
  httpMetadata?: { contentType?: string } | undefined;
  customMetadata?: Readonly<Record<string, string>> | undefined;
}>;
type BucketBody = BucketObject & Readonly<{ body: ReadableStream<Uint8Array>; arrayBuffer: () => Promise<ArrayBuffer> }>;
type Metadata = Readonly<{ httpMetadata: { contentType: string; cacheControl: string }; customMetadata?: Record<string, string> }>;

type BucketUpload = Readonly<{
  uploadPart: (part: number, value: Uint8Array<ArrayBuffer>) => Promise<{ partNumber: number; etag: string }>;
  complete: (parts: { partNumber: number; etag: string }[]) => Promise<BucketObject>;
  abort: () => Promise<void>;
}>;

/** The subset of a binding to a bucket of R2 used here. */
export type BucketBinding = Readonly<{
  head: (name: string) => Promise<BucketObject | null>;
  get: (
    name: string,
    options?: { range?: { offset: number; length: number }; onlyIf?: Headers },
  ) => Promise<BucketBody | BucketObject | null>;
  /** `null`: the condition does not hold. */
  put: (name: string, value: Uint8Array<ArrayBuffer>, options: Metadata & { onlyIf: Headers }) => Promise<BucketObject | null>;
  delete: (name: string) => Promise<void>;
  createMultipartUpload: (name: string, options: Metadata) => Promise<BucketUpload>;
}>;

/** The smallest that R2 takes; all but the last have the same size. */
const PART_BYTES = 5 * 1024 * 1024;
const ATTEMPTS = 5;
/** R2 takes one write of an object in a second. */
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 15_000;
const DOWN_AFTER_FAILURES = 5;

const ABSENT = { 'if-none-match': '*' };
const version = (etag: string) => ({ 'if-match': `"${etag}"` });
/** An ETag that no object has, so that the write of the check never succeeds. */
const NO_VERSION = '00000000000000000000000000000000';
const IMMUTABLE = 'public, max-age=31536000, immutable';

/** Names a write in the metadata of its object, which tells a retry whose object it finds. */
const WRITE_ID = 'write-id';

/** The objects of a bucket of R2, through the binding of a Worker. */
export function openBucket(
  bucket: BucketBinding,
  clock: Clock & Pick<Runtime, 'randomUUID'>,
  { publicBaseUrls, remedy }: BucketLinks,
): ServedStore {
  let failuresInARow = 0;

  async function once<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await withTimeLimit(clock, STORAGE_ATTEMPT_TIMEOUT_MS, (signal) => Promise.race([work(), rejectedBy(signal)]));
      failuresInARow = 0;
      return result;
    } catch (cause) {
      failuresInARow++;
      throw bucketError(cause);
    }
  }

  /** `attempt` counts from 1. What cannot be had again for free is retried for minutes. */
  async function tried<T>(work: (attempt: number) => Promise<T>, repeatable = true): Promise<T> {
    const untilMs = clock.now() + STORAGE_RETRY_MS;
    for (let attempt = 1; ; attempt++) {
      try {
        return await once(() => work(attempt));
      } catch (error) {
        if (repeatable ? attempt >= ATTEMPTS : clock.now() > untilMs) throw error;
        await clock.sleep(Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempt - 1)));
      }
    }
  }

  function baseOfLinks(): string {
    const [url] = publicBaseUrls();
    if (url !== undefined) return url;
    const problem =
      'The URL of this gateway is not known, as the Host header of the request is unusual; the operator can set MCP_PUBLIC_URL';
    throw new GatewayError({ kind: 'storage', problem, retryable: false });
  }

  const metadata = (contentType: string, mutable = false, writeId?: string): Metadata => ({
    httpMetadata: { contentType, cacheControl: mutable ? 'no-cache' : IMMUTABLE },
    ...(writeId && { customMetadata: { [WRITE_ID]: writeId } }),
  });

  async function putBytes(name: string, body: Uint8Array<ArrayBuffer>, options: CreateOptions): Promise<CreateOutcome> {
    const writeId = clock.randomUUID();
    const condition = { ...metadata(options.contentType, options.mutable, writeId), onlyIf: new Headers(ABSENT) };
    const own = await tried(
      async (attempt) => (await bucket.put(name, body, condition)) ?? (attempt > 1 ? ownOf(await bucket.head(name), writeId) : undefined),
      options.repeatable,
    );
    return { outcome: own ? 'created' : 'exists', bytes: body.byteLength, etag: own?.etag };
  }

  async function putStream(name: string, body: ByteReader, options: CreateOptions): Promise<CreateOutcome> {
    let upload: BucketUpload | undefined;
    try {
      const parts: { partNumber: number; etag: string }[] = [];
      let chunk = await fill(body, new ArrayBuffer(PART_BYTES));
      if (chunk.byteLength < PART_BYTES) return await putBytes(name, chunk, options);
      const writeId = clock.randomUUID();
      const started = await tried(
        () => bucket.createMultipartUpload(name, metadata(options.contentType, false, writeId)),
        options.repeatable,
      );
      upload = started;
      let bytes = 0;
      while (chunk.byteLength > 0) {
        const part = chunk;
        parts.push(await tried(() => started.uploadPart(parts.length + 1, part), options.repeatable));
        bytes += part.byteLength;
        chunk = part.byteLength < PART_BYTES ? new Uint8Array(0) : await fill(body, part.buffer);
      }
      return { ...(await complete({ name, writeId, repeatable: options.repeatable }, started, parts)), bytes };
    } catch (error) {
      await Promise.allSettled([body.cancel(error), upload?.abort()]);
      throw error;
    }
  }

  /** R2 has no condition for this, so that of two streams that end in the same moment, the later one stays. */
  async function complete(
    { name, writeId, repeatable }: Readonly<{ name: string; writeId: string; repeatable: boolean }>,
    upload: BucketUpload,
    parts: Parameters<BucketUpload['complete']>[0],
  ) {
    return tried(async (attempt): Promise<Pick<CreateOutcome, 'outcome' | 'etag'>> => {
      const present = await bucket.head(name);
      const own = attempt > 1 ? ownOf(present, writeId) : undefined;
      if (own) return { outcome: 'created', etag: own.etag };
      if (!present) return { outcome: 'created', etag: (await upload.complete(parts)).etag };
      await upload.abort();
      return { outcome: 'exists' };
    }, repeatable);
  }

  /** Whether the object was that version, or is what an earlier attempt has written. */
  async function putVersion(name: string, body: Uint8Array<ArrayBuffer>, contentType: string, etag: string): Promise<string | undefined> {
    return tried(async (attempt) => {
      const put = await bucket.put(name, body, { ...metadata(contentType, true), onlyIf: new Headers(version(etag)) });
      if (put || attempt === 1) return put?.etag;
      const present = await bucket.get(name);
      const content = present && 'body' in present ? new Uint8Array(await present.arrayBuffer()) : undefined;
      return content?.byteLength === body.byteLength && content.every((byte, index) => byte === body[index]) ? present?.etag : undefined;
    });
  }

  return {
    async create(name, body, options) {
      assertName(name);
      return body instanceof Uint8Array ? putBytes(name, body, options) : putStream(name, body, options);
    },
    async replace(name, body, contentType, etag) {
      const replaced = await putVersion(name, body, contentType, etag);
      return replaced === undefined ? { outcome: 'changed' } : { outcome: 'replaced', etag: replaced };
    },
    async read(name, maxBytes) {
      const found = await tried(async () => {
        const object = await bucket.get(name);
        if (!object || !('body' in object)) return undefined;
        if (object.size <= maxBytes) return { ...infoOf(object), body: new Uint8Array(await object.arrayBuffer()) };
        await object.body.cancel();
        return 'too large';
      });
      if (found !== 'too large') return found;
      throw new GatewayError({ kind: 'storage', problem: 'A stored object is too large', retryable: false });
    },
    head: async (name) => {
      const found = await tried(() => bucket.head(name));
      return found ? infoOf(found) : undefined;
    },
    async delete(name, etag) {
      // There is no condition for this; of a version that is empty, nobody makes another.
      if (etag !== undefined && (await putVersion(name, new Uint8Array(0), 'application/octet-stream', etag)) === undefined) return;
      await tried(() => bucket.delete(name));
    },
    link: async (name) => `${baseOfLinks()}/${name}`,
    nameOf(url) {
      const publicBaseUrl = publicBaseUrls().find((base) => url.startsWith(`${base}/`));
      const name = publicBaseUrl === undefined ? '' : url.slice(publicBaseUrl.length + 1);
      return isObjectName(name) ? name : undefined;
    },
    linkOrigins: () => publicBaseUrls().map((base) => new URL(base).origin),
    linkRemedy: remedy,
    async assertUsable(missingName) {
      baseOfLinks();
      const nothing = { ...metadata('application/octet-stream'), onlyIf: new Headers(version(NO_VERSION)) };
      await once(() => bucket.put(missingName, new Uint8Array(0), nothing)).catch(() =>
        once(() => bucket.put(missingName, new Uint8Array(0), nothing)),
      );
    },
    isDown: () => failuresInARow >= DOWN_AFTER_FAILURES,
    async stream(name, etag, start, bytes) {
      const options = { range: { offset: start, length: bytes }, onlyIf: new Headers(version(etag)) };
      const found = await tried(() => bucket.get(name, options));
      if (!found || !('body' in found))
        throw new GatewayError({ kind: 'storage', problem: 'A stored object has changed since it was looked up', retryable: true });
      return found.body;
    },
  };
}

/** The object, if an earlier attempt of this write stored it and only the response was lost. */
function ownOf(object: BucketObject | null, writeId: string): BucketObject | undefined {
  return object?.customMetadata?.[WRITE_ID] === writeId ? object : undefined;
}

/** The binding takes no signal. */
function rejectedBy(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
}

function assertName(name: string): void {
  if (!isObjectName(name)) throw new Error('The name of an object consists of safe segments.');
}

function infoOf({ size, etag, httpMetadata }: BucketObject): ObjectInfo {
  return { bytes: size, contentType: httpMetadata?.contentType ?? 'application/octet-stream', etag };
}

function bucketError(cause: unknown): GatewayError {
  if (cause instanceof GatewayError) return cause;
  // R2's own number of the error, at its end.
  const code = /\((\d{5})\)$/.exec(cause instanceof Error ? cause.message : '')?.[1];
  const problem = `The bucket of R2 (the binding MEDIA) failed${code ? ` (${code})` : ''}; if this persists, the operator must check the binding`;
  return new GatewayError({ kind: 'storage', problem, retryable: true }, { cause });
}
