import { isTransientStatus, retryAfterSeconds } from '../http-semantics.ts';
import { STORAGE_ATTEMPT_TIMEOUT_MS } from '../limits.ts';
import type { Clock, Runtime } from '../ports.ts';
import { readBody } from '../streams/body.ts';
import { withTimeLimit } from '../streams/time-limit.ts';
import type { StorageAccount } from './connection-string.ts';
import { blobSasQuery, importAccountKey, STORAGE_VERSION } from './sas.ts';

export type BlobRuntime = Clock &
  Pick<Runtime, 'bytesInit' | 'random' | 'randomUUID'> &
  Readonly<{ fetch: (url: string, init: RequestInit) => Promise<Response> }>;

/** One REST operation on a blob. */
export type BlobOperation = Readonly<{
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

/** A SAS query for one blob, with these permissions. */
export type SasSigner = (name: string, permissions: string, expiresOn: Date) => Promise<string>;

const MAX_RETRY_AFTER_SECONDS = 30;
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
export function createAttempt(containerUrl: string, sign: SasSigner, runtime: BlobRuntime) {
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

  return async function attempt(name: string, operation: BlobOperation): Promise<BlobResponse> {
    try {
      return await withTimeLimit(runtime, operation.timeoutMs ?? STORAGE_ATTEMPT_TIMEOUT_MS, async (signal) => {
        const response = await fetchBlob(name, operation, signal);
        const result = toBlobResponse(response, operation.method);
        const { maxBodyBytes } = operation;
        if (result.ok && maxBodyBytes !== undefined) return { ...result, body: await readBlob(response, maxBodyBytes, runtime) };
        // Not awaited: a body that never ends must not delay the result.
        response.body?.cancel().catch(() => {});
        return result;
      });
    } catch (cause) {
      return { ok: false, transient: true, cause };
    }
  };
}

function readBlob(response: Response, maxBytes: number, clock: Clock): Promise<Uint8Array<ArrayBuffer>> {
  const toError = (problem: string, cause?: unknown) => new Error(problem, { cause });
  return readBody(response, { clock, maxBytes, timeoutMs: STORAGE_ATTEMPT_TIMEOUT_MS, minBytesPerMinute: 0, toError });
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
