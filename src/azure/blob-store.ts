import type { ObjectInfo, ObjectStore } from '../media/object-store.ts';
import type { StorageAccount } from './connection-string.ts';
import { type BlobAnswer, type BlobRequests, type BlobRuntime, createBlobRequests } from './requests.ts';
import { putBlocks, putBytes, replaceBytes } from './upload.ts';

export type BlobStoreSettings = Readonly<{
  account: StorageAccount;
  container: string;
  /** The URL at which the container's root is reached, without a trailing slash. */
  publicBaseUrl: string;
}>;

const USABLE_TIMEOUT_MS = 5_000;

const REMEDY = {
  refused:
    "The container is private, or AZURE_BLOB_PUBLIC_BASE_URL is not its URL: the gateway's operator must correct that, or set AZURE_BLOB_READ_SAS_HOURS.",
  signedRefused:
    "AZURE_BLOB_PUBLIC_BASE_URL is not the container's URL, or what is there drops the query: the gateway's operator must correct that.",
  unreachable: 'The operator should check AZURE_BLOB_PUBLIC_BASE_URL.',
};

/** The blobs of one container of Azure Blob Storage, through SAS-signed REST calls. */
export function createBlobStore({ account, container, publicBaseUrl }: BlobStoreSettings, runtime: BlobRuntime): ObjectStore {
  const requests = createBlobRequests(account, container, runtime);
  const isSas = account.credential.kind === 'sas';
  return {
    async create(name, body, options) {
      if (!(body instanceof Uint8Array)) return putBlocks(requests, runtime, { name, ...options }, body);
      return { outcome: await putBytes(requests, runtime, { name, ...options }, body), bytes: body.byteLength };
    },
    replace: (name, body, contentType, etag) => replaceBytes(requests, runtime, { name, contentType, etag }, body),
    async read(name, maxBytes) {
      const answer = await requests.send(name, { method: 'GET', permissions: 'r', maxBodyBytes: maxBytes });
      const info = infoOf(answer, requests, isSas);
      return info && answer.body && { ...info, bytes: answer.body.byteLength, body: answer.body };
    },
    head: async (name) => infoOf(await requests.send(name, { method: 'HEAD', permissions: 'r' }), requests, isSas),
    async delete(name) {
      const answer = await requests.send(name, { method: 'DELETE', permissions: 'd' });
      if (!answer.ok && answer.status !== 404) throw requests.toError(answer);
    },
    async link(name, expiresOn) {
      const url = `${publicBaseUrl}/${name}`;
      return expiresOn ? `${url}?${await requests.readSas(name, expiresOn)}` : url;
    },
    linkHost: new URL(publicBaseUrl).host,
    linkRemedy: REMEDY,
    async assertUsable(missingName) {
      const look = () => requests.attempt(missingName, { method: 'HEAD', permissions: 'r', timeoutMs: USABLE_TIMEOUT_MS });
      const first = await look();
      const answer = first.transient ? await look() : first;
      if (isUnusable(answer)) throw requests.toError(answer);
    },
    isDown: requests.isDown,
  };
}

/** A SAS that may only write is refused a look. */
function infoOf(answer: BlobAnswer, requests: BlobRequests, isSas: boolean): ObjectInfo | undefined {
  if (answer.status === 404 || (answer.status === 403 && isSas)) return undefined;
  if (!answer.ok) throw requests.toError(answer);
  const header = (name: string) => answer.headers?.get(name) ?? '';
  return { bytes: Number(header('content-length')), contentType: header('content-type'), etag: header('etag') };
}

/** Fails only on what is certain: storage of other makes may respond otherwise. A SAS that may only write is refused a look. */
function isUnusable({ transient, status = 0, code = '' }: BlobAnswer): boolean {
  const isNoContainer = (status >= 300 && status <= 401) || code === 'ContainerNotFound' || code === 'ResourceNotFound';
  return transient || isNoContainer || (status === 403 && code !== 'AuthorizationPermissionMismatch');
}
