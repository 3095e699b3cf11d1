import { GatewayError } from '../errors.ts';
import { isTransientStatus, retryAfterSeconds } from '../http-semantics.ts';
import { STORAGE_ATTEMPT_TIMEOUT_MS } from '../limits.ts';
import type { Clock, Runtime } from '../ports.ts';
import { readBody } from '../streams/body.ts';
import { withTimeLimit } from '../streams/time-limit.ts';
import type { StorageAccount } from './connection-string.ts';
import { createRetryGate } from './retry-gate.ts';
import { blobSasQuery, importAccountKey, STORAGE_VERSION } from './sas.ts';

export type BlobRuntime = Clock &
  Pick<Runtime, 'bytesInit' | 'random' | 'randomUUID'> &
  Readonly<{ fetch: (url: string, init: RequestInit) => Promise<Response> }>;

/** One REST operation on a blob. */
type BlobOperation = Readonly<{
  method: 'PUT' | 'HEAD' | 'GET' | 'DELETE';
  /** The permissions its SAS needs, in the order Azure requires. */
  permissions: string;
  /** Query parameters besides the SAS, such as `comp=block`. */
  query?: string;
  headers?: Readonly<Record<string, string>>;
  /** The body of one attempt, and how to send it. */
  init?: () => RequestInit;
  /** How long to retry after transient faults; by default, a few attempts. */
  retryForMs?: number;
  /** Reads the body of a success, up to this many bytes; by default, it is discarded. */
  maxBodyBytes?: number;
  /** The time limit for one attempt. */
  timeoutMs?: number;
}>;

/** Azure's response, success or not. Without a status, the connection failed. */
export type BlobResponse = Readonly<{
  ok: boolean;
  status?: number;
  /** Azure's error code, such as BlobAlreadyExists. */
  code?: string;
  headers?: Headers;
  body?: Uint8Array<ArrayBuffer>;
  /** Whether a retry may succeed. */
  transient: boolean;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}>;

export type BlobRequests = Readonly<{
  /** Sends the operation once. Never throws. */
  attempt(name: string, operation: BlobOperation): Promise<BlobResponse>;
  /** Retries until the response is not transient or the retry time is up; also returns the number of attempts. */
  send(name: string, operation: BlobOperation): Promise<BlobResponse & { attempts: number }>;
  /** A SAS query that lets anyone read the blob until `expiresOn`. */
  readSas(name: string, expiresOn: Date): Promise<string>;
  /** Whether the store counts as down after repeated consecutive failures. */
  isDown(): boolean;
  /** Converts a failed response into a failure for the client. */
  toError(response: BlobResponse): GatewayError;
}>;

const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 15_000;
/** For operations that the caller can repeat for free. */
const MAX_BRIEF_ATTEMPTS = 4;
const MAX_RETRY_AFTER_SECONDS = 30;
/** Tolerates clock skew of a few minutes between Azure and the gateway. */
const SAS_STARTS_BEFORE_MS = 5 * 60_000;
const SAS_LASTS_MS = 15 * 60_000;

/** SAS-signed requests to the blobs of one container; each attempt is signed anew. */
export function createBlobRequests(account: StorageAccount, container: string, runtime: BlobRuntime): BlobRequests {
  const { credential } = account;
  const key = credential.kind === 'key' ? importAccountKey(credential.keyBase64) : undefined;
  // First use awaits the import; until then, its rejection must not count as unhandled.
  key?.catch(() => {});
  const gate = createRetryGate(runtime);

  async function sasQuery(name: string, permissions: string, expiresOn: Date): Promise<string> {
    // The operator's SAS is used as is; with an account key, each request gets its own.
    if (credential.kind === 'sas') return credential.query;
    return blobSasQuery(await (key as Promise<CryptoKey>), {
      accountName: account.accountName,
      container,
      blob: name,
      permissions,
      startsOn: new Date(runtime.now() - SAS_STARTS_BEFORE_MS),
      expiresOn,
      httpsOnly: account.blobEndpoint.startsWith('https:'),
    });
  }

  async function attempt(name: string, operation: BlobOperation): Promise<BlobResponse> {
    try {
      return await withTimeLimit(runtime, operation.timeoutMs ?? STORAGE_ATTEMPT_TIMEOUT_MS, async (signal) => {
        const response = await fetchBlob(name, operation, signal);
        const result = toBlobResponse(response, operation.method);
        if (result.ok && operation.maxBodyBytes !== undefined) return { ...result, body: await readBlob(response, operation.maxBodyBytes) };
        // Not awaited: a body that never ends must not delay the result.
        response.body?.cancel().catch(() => {});
        return result;
      });
    } catch (cause) {
      return { ok: false, transient: true, cause };
    }
  }

  function readBlob(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
    const toError = (problem: string, cause?: unknown) => new Error(problem, { cause });
    return readBody(response, { clock: runtime, maxBytes, timeoutMs: STORAGE_ATTEMPT_TIMEOUT_MS, minBytesPerMinute: 0, toError });
  }

  async function fetchBlob(name: string, operation: BlobOperation, signal: AbortSignal): Promise<Response> {
    const sas = await sasQuery(name, operation.permissions, new Date(runtime.now() + SAS_LASTS_MS));
    const path = name.split('/').map(encodeURIComponent).join('/');
    const init = operation.init?.();
    const query = operation.query ? `${operation.query}&${sas}` : sas;
    return runtime.fetch(`${account.blobEndpoint}/${container}/${path}?${query}`, {
      redirect: 'manual',
      signal,
      ...init,
      method: operation.method,
      headers: { ...operation.headers, ...headersOf(init), 'x-ms-version': STORAGE_VERSION },
    });
  }

  async function send(name: string, operation: BlobOperation): Promise<BlobResponse & { attempts: number }> {
    // An operation that the caller can repeat does not wait for a store that is down.
    if (operation.retryForMs === undefined && gate.isOpen()) return sendOnce(name, operation);
    const untilMs = runtime.now() + (operation.retryForMs ?? 0);
    for (let attempts = 1; ; attempts++) {
      const report = await gate.enter(attempts > 1);
      const response = await attempt(name, operation);
      report(!response.transient);
      const waitMs = response.retryAfterMs ?? backoffMs(attempts);
      const isLast = operation.retryForMs === undefined ? attempts === MAX_BRIEF_ATTEMPTS : runtime.now() + waitMs > untilMs;
      if (!response.transient || isLast) return { ...response, attempts };
      await runtime.sleep(waitMs);
    }
  }

  async function sendOnce(name: string, operation: BlobOperation): Promise<BlobResponse & { attempts: number }> {
    const response = await attempt(name, operation);
    if (!response.transient) gate.close();
    return { ...response, attempts: 1 };
  }

  /** Exponential backoff with 50% jitter, so that operations that failed together do not retry together. */
  function backoffMs(attempts: number): number {
    const ms = Math.min(FIRST_BACKOFF_MS * 2 ** (attempts - 1), MAX_BACKOFF_MS);
    return ms / 2 + (runtime.random() * ms) / 2;
  }

  return {
    attempt,
    send,
    isDown: gate.isOpen,
    readSas: (name, expiresOn) => sasQuery(name, 'r', expiresOn),
    toError: (response) => storageError(response, container),
  };
}

function headersOf(init: RequestInit | undefined): Record<string, string> {
  return Object.fromEntries(new Headers(init?.headers));
}

/** Azure always sends this header; a response without it comes from a proxy and says nothing about the blob. */
const AZURE_HEADER = 'x-ms-request-id';
const SUCCESS = { PUT: 201, HEAD: 200, GET: 200, DELETE: 202 } as const;

function toBlobResponse({ status, headers }: Response, method: BlobOperation['method']): BlobResponse {
  const seconds = retryAfterSeconds(headers);
  const ok = status === SUCCESS[method] && headers.has(AZURE_HEADER);
  return {
    ok,
    status,
    code: headers.get('x-ms-error-code') ?? 'no error code',
    headers,
    transient: isTransientStatus(status) || (!ok && status >= 200 && status < 300),
    retryAfterMs: seconds !== undefined && seconds > 0 && seconds <= MAX_RETRY_AFTER_SECONDS ? seconds * 1000 : undefined,
  };
}

/** `code` is an Azure constant from a header; the body may quote the signature and is never exposed. */
function storageError({ status, code, transient, cause }: BlobResponse, container: string): GatewayError {
  const happened = status === undefined ? 'Azure Blob Storage is unreachable' : `Azure Blob Storage returned ${status} (${code})`;
  return new GatewayError({ kind: 'storage', problem: `${happened}${remedyOf(status, code, container)}`, retryable: transient }, { cause });
}

function remedyOf(status: number | undefined, code: string | undefined, container: string): string {
  if (status === undefined) return '; if this persists, the operator must check AZURE_STORAGE_CONNECTION_STRING and the network';
  if (status === 403) return ': the signature or permission was rejected; the operator must correct AZURE_STORAGE_CONNECTION_STRING';
  if (code === 'ContainerNotFound')
    return `: the container "${container}" (AZURE_BLOB_CONTAINER) does not exist; the operator must create it`;
  if (code === 'ResourceNotFound')
    return ': the storage account or container does not exist; the operator must check AZURE_STORAGE_CONNECTION_STRING and AZURE_BLOB_CONTAINER';
  if (status < 300) return ': not a response from a blob endpoint; a proxy may be intercepting requests';
  if (status <= 401 || status === 404) return ': not a blob endpoint; the operator must correct AZURE_STORAGE_CONNECTION_STRING';
  return '';
}
