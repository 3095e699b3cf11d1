import { isObjectName, type ObjectInfo, type ObjectStore } from '../media/object-store.ts';
import type { StoreResponse, StoreRuntime } from '../storage/requests.ts';
import { type Bucket, createS3Requests, type S3Requests } from './requests.ts';
import { putBytes, putParts, replaceBytes } from './upload.ts';

export type S3StoreSettings = Bucket &
  Readonly<{
    /** The public URL of the bucket's root, without a trailing slash; `undefined`: links are presigned. */
    publicBaseUrl: string | undefined;
  }>;

const USABLE_TIMEOUT_MS = 5_000;
/** S3 checks the signature and the bucket first, then the condition, which no object meets. */
const USABLE_PROBE = { method: 'PUT', headers: { 'if-match': `"${'0'.repeat(32)}"` }, timeoutMs: USABLE_TIMEOUT_MS } as const;
const NO_CONDITIONS = { ok: false, status: 501, code: 'NotImplemented', transient: false };

const PUBLIC_REMEDY =
  'The bucket is private, or S3_PUBLIC_BASE_URL is not its URL. The operator must correct this, or unset S3_PUBLIC_BASE_URL so that links are signed.';
const SIGNED_REMEDY =
  'S3_ENDPOINT is not the URL at which readers reach the bucket, or the key of S3_ACCESS_KEY_ID may not read. The operator must correct this.';

/** The objects of one bucket behind the S3 API, such as that of AWS, Cloudflare R2 and MinIO. */
export function createS3Store(settings: S3StoreSettings, runtime: StoreRuntime): ObjectStore {
  const requests = createS3Requests(settings, runtime);
  const { endpoint, bucket, publicBaseUrl } = settings;
  const linkBase = publicBaseUrl ?? `${endpoint}/${bucket}`;
  return {
    async create(name, body, options) {
      if (!(body instanceof Uint8Array)) return putParts(requests, runtime, { name, ...options }, body);
      return { ...(await putBytes(requests, runtime, { name, ...options }, body)), bytes: body.byteLength };
    },
    replace: (name, body, contentType, etag) => replaceBytes(requests, runtime, { name, contentType, etag }, body),
    async read(name, maxBytes) {
      const response = await requests.send(name, { method: 'GET', maxBodyBytes: maxBytes });
      const info = infoOf(response, requests);
      return info && response.body && { ...info, bytes: response.body.byteLength, body: response.body };
    },
    head: async (name) => infoOf(await requests.send(name, { method: 'HEAD' }), requests),
    delete: (name, etag) => deleteObject(requests, name, etag),
    async link(name, expiresOn) {
      return expiresOn ? requests.presign(name, expiresOn) : `${linkBase}/${name}`;
    },
    nameOf(url) {
      const [path = ''] = url.split('?', 1);
      const name = path.startsWith(`${linkBase}/`) ? path.slice(linkBase.length + 1) : '';
      return isObjectName(name) ? name : undefined;
    },
    linkOrigins: () => [new URL(linkBase).origin],
    linkRemedy: {
      refused: PUBLIC_REMEDY,
      signedRefused: SIGNED_REMEDY,
      unreachable: `The operator should check ${publicBaseUrl ? 'S3_PUBLIC_BASE_URL' : 'S3_ENDPOINT'}.`,
    },
    assertUsable: (missingName) => assertUsable(requests, missingName),
    isDown: requests.isDown,
  };
}

function infoOf(response: StoreResponse, requests: S3Requests): ObjectInfo | undefined {
  if (response.status === 404 && response.code !== 'NoSuchBucket') return undefined;
  if (!response.ok) throw requests.toError(response);
  const header = (name: string) => response.headers?.get(name) ?? '';
  return { bytes: Number(header('content-length')), contentType: header('content-type'), etag: header('etag') };
}

/** Some stores, R2 among them, ignore the condition of a delete, so it is checked first; between the two is a race there. */
async function deleteObject(requests: S3Requests, name: string, etag: string | undefined): Promise<void> {
  if (etag !== undefined) {
    const found = infoOf(await requests.send(name, { method: 'HEAD' }), requests);
    if (found?.etag !== etag) return;
  }
  const remove = (headers: Record<string, string>) => requests.send(name, { method: 'DELETE', headers });
  const first = await remove(etag === undefined ? {} : { 'if-match': etag });
  const response = first.status === 501 && etag !== undefined ? await remove({}) : first;
  const isChanged = response.status === 412 && etag !== undefined;
  if (!response.ok && response.code !== 'NoSuchKey' && !isChanged) throw requests.toError(response);
}

/** 412, or 404 at AWS, is the healthy response. A store that accepts the write ignores conditions, and would lose data. */
async function assertUsable(requests: S3Requests, missingName: string): Promise<void> {
  const probe = () => requests.attempt(missingName, USABLE_PROBE);
  const first = await probe();
  const response = first.transient ? await probe() : first;
  if (response.status === 412 || response.code === 'NoSuchKey') return;
  if (!response.ok) throw requests.toError(response);
  await requests.attempt(missingName, { method: 'DELETE', timeoutMs: USABLE_TIMEOUT_MS });
  throw requests.toError(NO_CONDITIONS);
}
