import { isObjectName, type ObjectInfo, type ObjectStore } from '../media/object-store.ts';
import type { StoreResponse, StoreRuntime } from '../storage/requests.ts';
import type { StorageAccount } from './connection-string.ts';
import { type BlobRequests, createBlobRequests } from './requests.ts';
import { putBlocks, putBytes, replaceBytes } from './upload.ts';

export type BlobStoreSettings = Readonly<{
  account: StorageAccount;
  container: string;
  /** The public URL of the container's root, without a trailing slash. */
  publicBaseUrl: string;
}>;

const USABLE_TIMEOUT_MS = 5_000;
/** An ETag that no blob has, so that the write below never succeeds. */
const IMPOSSIBLE_ETAG = '"0x0"';
/**
 * A write, because a public container serves reads without looking at the signature. Azure checks the signature and the
 * container first, then the condition: 412 is the healthy response. `timeout`, in seconds, is the server's own limit.
 */
const USABLE_PROBE = {
  method: 'PUT',
  permissions: 'w',
  query: `timeout=${USABLE_TIMEOUT_MS / 1000}`,
  headers: { 'if-match': IMPOSSIBLE_ETAG, 'x-ms-blob-type': 'BlockBlob' },
  timeoutMs: USABLE_TIMEOUT_MS,
} as const;

const REMEDY = {
  refused:
    'The container is private, or AZURE_BLOB_PUBLIC_BASE_URL is not its URL. The operator must correct this or set AZURE_BLOB_READ_SAS_HOURS.',
  signedRefused:
    "AZURE_BLOB_PUBLIC_BASE_URL is not the container's URL, or a CDN there drops the query string. The operator must correct this.",
  unreachable: 'The operator should check AZURE_BLOB_PUBLIC_BASE_URL.',
};

/** The blobs of one Azure Blob Storage container, accessed through SAS-signed REST calls. */
export function createBlobStore({ account, container, publicBaseUrl }: BlobStoreSettings, runtime: StoreRuntime): ObjectStore {
  const requests = createBlobRequests(account, container, runtime);
  const isSas = account.credential.kind === 'sas';
  return {
    async create(name, body, options) {
      if (!(body instanceof Uint8Array)) return putBlocks(requests, runtime, { name, ...options }, body);
      return { ...(await putBytes(requests, runtime, { name, ...options }, body)), bytes: body.byteLength };
    },
    replace: (name, body, contentType, etag) => replaceBytes(requests, runtime, { name, contentType, etag }, body),
    async read(name, maxBytes) {
      const response = await requests.send(name, { method: 'GET', permissions: 'r', maxBodyBytes: maxBytes });
      const info = infoOf(response, requests, isSas);
      return info && response.body && { ...info, bytes: response.body.byteLength, body: response.body };
    },
    head: async (name) => infoOf(await requests.send(name, { method: 'HEAD', permissions: 'r' }), requests, isSas),
    async delete(name, etag) {
      const headers = etag === undefined ? {} : { 'if-match': etag };
      const response = await requests.send(name, { method: 'DELETE', permissions: 'd', headers });
      const isChanged = response.status === 412 && etag !== undefined;
      if (!response.ok && response.status !== 404 && !isChanged) throw requests.toError(response);
    },
    async link(name, expiresOn) {
      const url = `${publicBaseUrl}/${name}`;
      return expiresOn ? `${url}?${await requests.readSas(name, expiresOn)}` : url;
    },
    nameOf(url) {
      const [path = ''] = url.split('?', 1);
      const name = path.startsWith(`${publicBaseUrl}/`) ? path.slice(publicBaseUrl.length + 1) : '';
      return isObjectName(name) ? name : undefined;
    },
    linkOrigins: () => [new URL(publicBaseUrl).origin],
    linkRemedy: REMEDY,
    async assertUsable(missingName) {
      const probe = () => requests.attempt(missingName, USABLE_PROBE);
      const first = await probe();
      const response = first.transient ? await probe() : first;
      if (isUnusable(response)) throw requests.toError(response);
    },
    isDown: requests.isDown,
  };
}

/** A write-only SAS cannot read properties: Azure returns 403. */
function infoOf(response: StoreResponse, requests: BlobRequests, isSas: boolean): ObjectInfo | undefined {
  if (response.status === 404 || (response.status === 403 && isSas)) return undefined;
  if (!response.ok) throw requests.toError(response);
  const header = (name: string) => response.headers?.get(name) ?? '';
  return { bytes: Number(header('content-length')), contentType: header('content-type'), etag: header('etag') };
}

/** Fails only on unambiguous errors, as compatible stores may respond differently. A SAS may allow creating blobs only. */
function isUnusable({ transient, status = 0, code = '' }: StoreResponse): boolean {
  const isMissingContainer = (status >= 300 && status <= 401) || code === 'ContainerNotFound' || code === 'ResourceNotFound';
  return transient || isMissingContainer || (status === 403 && code !== 'AuthorizationPermissionMismatch');
}
