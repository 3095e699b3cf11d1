import { GatewayError } from '../errors.ts';
import type { StorageAccount } from './connection-string.ts';
import { blobSasQuery, importAccountKey, STORAGE_VERSION } from './sas.ts';

/** What differs between the runtimes or is replaced in tests. */
export type BlobRuntime = Readonly<{
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Milliseconds since the epoch. */
  now: () => number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}>;

export type BlobClient = Readonly<{
  /**
   * Writes a new block blob in one request (Put Blob), trying again after passing faults.
   * Throws a `storage` failure when Azure refuses it or stays unreachable.
   */
  put(name: string, body: Uint8Array<ArrayBuffer>, contentType: string): Promise<void>;
}>;

const MAX_ATTEMPTS = 4;
const FIRST_BACKOFF_MS = 250;
const ATTEMPT_TIMEOUT_MS = 60_000;
/** Azure's clocks and ours may disagree by some minutes. */
const SAS_STARTS_BEFORE_MS = 5 * 60_000;
const SAS_LASTS_MS = 15 * 60_000;
/** Names are never reused, so what is stored under one never changes. */
const CACHE_CONTROL = 'public, max-age=31536000, immutable';
const PASSING = new Set([408, 429, 500, 502, 503, 504]);

/** A client for the blobs of one container, on SAS-signed REST calls. */
export function createBlobClient(account: StorageAccount, container: string, runtime: BlobRuntime): BlobClient {
  const credential = account.credential;
  const key = credential.kind === 'key' ? importAccountKey(credential.keyBase64) : undefined;
  // The import is awaited at the first use; until then its failure must not count as unhandled.
  key?.catch(() => {});

  /** A SAS from the operator is used as it is; with the account's key each request gets one of its own. */
  async function signedUrl(name: string, permissions: string): Promise<string> {
    const url = `${account.blobEndpoint}/${container}/${name.split('/').map(encodeURIComponent).join('/')}`;
    if (credential.kind === 'sas') return `${url}?${credential.query}`;
    const nowMs = runtime.now();
    const query = await blobSasQuery(await (key as Promise<CryptoKey>), {
      accountName: account.accountName,
      container,
      blob: name,
      permissions,
      startsOn: new Date(nowMs - SAS_STARTS_BEFORE_MS),
      expiresOn: new Date(nowMs + SAS_LASTS_MS),
      httpsOnly: account.blobEndpoint.startsWith('https:'),
    });
    return `${url}?${query}`;
  }

  async function put(name: string, body: Uint8Array<ArrayBuffer>, contentType: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await attemptPut(await signedUrl(name, 'cw'), body, contentType);
      if (outcome === 'stored') return;
      // The name is ours alone: when it exists at a second try, the first one was stored and only its answer was lost.
      if (outcome.code === 'BlobAlreadyExists' && attempt > 1) return;
      if (!outcome.passing || attempt === MAX_ATTEMPTS) throw storageError(outcome, container);
      await runtime.sleep(outcome.retryAfterMs ?? FIRST_BACKOFF_MS * 2 ** (attempt - 1));
    }
  }

  async function attemptPut(url: string, body: Uint8Array<ArrayBuffer>, contentType: string): Promise<'stored' | Refusal> {
    try {
      const response = await runtime.fetch(url, {
        method: 'PUT',
        headers: {
          'content-type': contentType,
          'if-none-match': '*',
          'x-ms-blob-type': 'BlockBlob',
          'x-ms-blob-cache-control': CACHE_CONTROL,
          'x-ms-version': STORAGE_VERSION,
        },
        body,
        redirect: 'manual',
        signal: AbortSignal.timeout(ATTEMPT_TIMEOUT_MS),
      });
      await response.body?.cancel();
      return response.status === 201 ? 'stored' : toRefusal(response);
    } catch (cause) {
      return { passing: true, cause };
    }
  }

  return { put };
}

/** What stands against an upload: an answer of Azure's, or (without a status) a connection that failed. */
type Refusal = { passing: boolean; status?: number; code?: string; retryAfterMs?: number | undefined; cause?: unknown };

function toRefusal(response: Response): Refusal {
  const retryAfterSeconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return {
    passing: PASSING.has(response.status),
    status: response.status,
    code: response.headers.get('x-ms-error-code') ?? 'no error code',
    retryAfterMs: retryAfterSeconds > 0 && retryAfterSeconds <= 30 ? retryAfterSeconds * 1000 : undefined,
  };
}

/** `code` is one of Azure's constants from a header; the body, which can quote the signature, is never told. */
function storageError(refusal: Refusal, container: string): GatewayError {
  const { status, code, passing, cause } = refusal;
  const answered = status === undefined ? 'Azure Blob Storage could not be reached' : `Azure Blob Storage answered ${status} (${code})`;
  const remedy =
    status === 403
      ? ': it refused the signature or the permission; AZURE_STORAGE_CONNECTION_STRING must be corrected'
      : status === 404
        ? `: the container "${container}" (AZURE_BLOB_CONTAINER) does not exist and must be created`
        : '';
  return new GatewayError({ kind: 'storage', problem: `${answered}${remedy}`, retryable: passing }, { cause });
}
