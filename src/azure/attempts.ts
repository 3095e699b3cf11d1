import { isTransientStatus } from '../http-semantics.ts';
import type { Clock } from '../ports.ts';
import { attemptOnce, retryAfterMs, type StoreOperation, type StoreResponse, type StoreRuntime } from '../storage/requests.ts';
import type { StorageAccount } from './connection-string.ts';
import { blobSasQuery, importAccountKey, STORAGE_VERSION } from './sas.ts';

/** One REST operation on a blob. */
export type BlobOperation = StoreOperation &
  Readonly<{
    method: keyof typeof SUCCESS;
    /** The permissions its SAS needs, in the order Azure requires. */
    permissions: string;
  }>;

/** A SAS query for one blob, with these permissions. */
export type SasSigner = (name: string, permissions: string, expiresOn: Date) => Promise<string>;

/** Tolerates clock skew of a few minutes between Azure and the gateway. */
const SAS_STARTS_BEFORE_MS = 5 * 60_000;
const SAS_LASTS_MS = 15 * 60_000;

/** Signs for the blobs of one container: with the account key, or with the operator's SAS as it is. */
export function createSasSigner({ accountName, blobEndpoint, credential }: StorageAccount, container: string, { now }: Clock): SasSigner {
  if (credential.kind === 'sas') return async () => credential.query;
  const key = importAccountKey(credential.keyBase64);
  // First use awaits the import; until then, its rejection must not count as unhandled.
  key.catch(() => {});
  return async (blob, permissions, expiresOn) => {
    const startsOn = new Date(now() - SAS_STARTS_BEFORE_MS);
    const httpsOnly = blobEndpoint.startsWith('https:');
    return blobSasQuery(await key, { accountName, container, blob, permissions, startsOn, expiresOn, httpsOnly });
  };
}

/** Sends an operation on a blob of the container at `containerUrl` once, signed for it alone. Never throws. */
export function createAttempt(containerUrl: string, sign: SasSigner, runtime: StoreRuntime) {
  async function fetchBlob(name: string, operation: BlobOperation, signal: AbortSignal): Promise<Response> {
    const sas = await sign(name, operation.permissions, new Date(runtime.now() + SAS_LASTS_MS));
    const path = name.split('/').map(encodeURIComponent).join('/');
    const init = operation.init?.();
    const query = operation.query ? `${operation.query}&${sas}` : sas;
    return runtime.fetch(`${containerUrl}/${path}?${query}`, {
      redirect: 'manual',
      signal,
      ...init,
      method: operation.method,
      headers: { ...operation.headers, ...headersOf(init), 'x-ms-version': STORAGE_VERSION },
    });
  }

  return (name: string, operation: BlobOperation) =>
    attemptOnce(
      runtime,
      operation,
      (signal) => fetchBlob(name, operation, signal),
      (response) => toBlobResponse(response, operation.method),
    );
}

function headersOf(init: RequestInit | undefined): Record<string, string> {
  return Object.fromEntries(new Headers(init?.headers));
}

/** Azure always sends this header; a response without it comes from a proxy and says nothing about the blob. */
const AZURE_HEADER = 'x-ms-request-id';
const SUCCESS = { PUT: 201, HEAD: 200, GET: 200, DELETE: 202 } as const;

function toBlobResponse({ status, headers }: Response, method: BlobOperation['method']): StoreResponse {
  const ok = status === SUCCESS[method] && headers.has(AZURE_HEADER);
  return {
    ok,
    status,
    code: headers.get('x-ms-error-code') ?? 'no error code',
    headers,
    transient: isTransientStatus(status) || (!ok && status >= 200 && status < 300),
    retryAfterMs: retryAfterMs(headers),
  };
}
