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
  /** What its SAS must allow, in the order Azure wants. */
  permissions: string;
  /** Query parameters besides the SAS, such as `comp=block`. */
  query?: string;
  headers?: Readonly<Record<string, string>>;
  /** The body of one attempt, and how it is to be sent. */
  init?: () => RequestInit;
  /** How long it is tried again after transient faults; by default a few times. */
  retryForMs?: number;
  /** Reads the body of a success, up to so many bytes; otherwise it is not read. */
  maxBodyBytes?: number;
  /** How long one attempt may take. */
  timeoutMs?: number;
}>;

/** How Azure answered: 2xx, or what stands against it. Without a status, the connection failed. */
export type BlobAnswer = Readonly<{
  ok: boolean;
  status?: number;
  /** Azure's error code, such as BlobAlreadyExists. */
  code?: string;
  headers?: Headers;
  body?: Uint8Array<ArrayBuffer>;
  /** Whether the same operation may work a little later. */
  transient: boolean;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}>;

export type BlobRequests = Readonly<{
  /** Sends the operation once. Never throws. */
  attempt(name: string, operation: BlobOperation): Promise<BlobAnswer>;
  /** Sends it until it has a response that is not transient, or the time for that is over; with how many attempts it took. */
  send(name: string, operation: BlobOperation): Promise<BlobAnswer & { attempts: number }>;
  /** A SAS query that lets anyone read this blob until `expiresOn`. */
  readSas(name: string, expiresOn: Date): Promise<string>;
  /** Whether the store has failed so often in a row that it counts as down. */
  isDown(): boolean;
  /** The failure that an answer means for a client. */
  toError(answer: BlobAnswer): GatewayError;
}>;

const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 15_000;
/** For what can be done again at no cost. */
const MAX_BRIEF_ATTEMPTS = 4;
const MAX_RETRY_AFTER_SECONDS = 30;
/** Azure's clocks and ours may disagree by some minutes. */
const SAS_STARTS_BEFORE_MS = 5 * 60_000;
const SAS_LASTS_MS = 15 * 60_000;

/** SAS-signed requests to the blobs of one container; each attempt is signed anew. */
export function createBlobRequests(account: StorageAccount, container: string, runtime: BlobRuntime): BlobRequests {
  const { credential } = account;
  const key = credential.kind === 'key' ? importAccountKey(credential.keyBase64) : undefined;
  // The import is awaited at the first use; until then its failure must not count as unhandled.
  key?.catch(() => {});
  const gate = createRetryGate(runtime);

  async function sasQuery(name: string, permissions: string, expiresOn: Date): Promise<string> {
    // A SAS from the operator is used as it is; with the account's key each request gets one of its own.
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

  async function attempt(name: string, operation: BlobOperation): Promise<BlobAnswer> {
    try {
      return await withTimeLimit(runtime, operation.timeoutMs ?? STORAGE_ATTEMPT_TIMEOUT_MS, async (signal) => {
        const response = await fetchBlob(name, operation, signal);
        const answer = toAnswer(response, operation.method);
        if (answer.ok && operation.maxBodyBytes !== undefined) return { ...answer, body: await readBlob(response, operation.maxBodyBytes) };
        // Not awaited: a body that does not end must not hold what is known.
        response.body?.cancel().catch(() => {});
        return answer;
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

  async function send(name: string, operation: BlobOperation): Promise<BlobAnswer & { attempts: number }> {
    // What can be done again later does not wait for a store that is down.
    if (operation.retryForMs === undefined && gate.isOpen()) return sendOnce(name, operation);
    const untilMs = runtime.now() + (operation.retryForMs ?? 0);
    for (let attempts = 1; ; attempts++) {
      const report = await gate.enter(attempts > 1);
      const answer = await attempt(name, operation);
      report(!answer.transient);
      const waitMs = answer.retryAfterMs ?? backoffMs(attempts);
      const isLast = operation.retryForMs === undefined ? attempts === MAX_BRIEF_ATTEMPTS : runtime.now() + waitMs > untilMs;
      if (!answer.transient || isLast) return { ...answer, attempts };
      await runtime.sleep(waitMs);
    }
  }

  async function sendOnce(name: string, operation: BlobOperation): Promise<BlobAnswer & { attempts: number }> {
    const answer = await attempt(name, operation);
    if (!answer.transient) gate.close();
    return { ...answer, attempts: 1 };
  }

  /** Half of it is chance, so that those who failed together do not come back together. */
  function backoffMs(attempts: number): number {
    const ms = Math.min(FIRST_BACKOFF_MS * 2 ** (attempts - 1), MAX_BACKOFF_MS);
    return ms / 2 + (runtime.random() * ms) / 2;
  }

  return {
    attempt,
    send,
    isDown: gate.isOpen,
    readSas: (name, expiresOn) => sasQuery(name, 'r', expiresOn),
    toError: (answer) => storageError(answer, container),
  };
}

function headersOf(init: RequestInit | undefined): Record<string, string> {
  return Object.fromEntries(new Headers(init?.headers));
}

/** Azure's own responses have this header; those of a proxy in between, which say nothing of a blob, do not. */
const AZURE_HEADER = 'x-ms-request-id';
const SUCCESS = { PUT: 201, HEAD: 200, GET: 200, DELETE: 202 } as const;

function toAnswer({ status, headers }: Response, method: BlobOperation['method']): BlobAnswer {
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

/** `code` is one of Azure's constants from a header; the body, which can quote the signature, is never told. */
function storageError({ status, code, transient, cause }: BlobAnswer, container: string): GatewayError {
  const answered = status === undefined ? 'Azure Blob Storage could not be reached' : `Azure Blob Storage answered ${status} (${code})`;
  return new GatewayError({ kind: 'storage', problem: `${answered}${remedyOf(status, code, container)}`, retryable: transient }, { cause });
}

function remedyOf(status: number | undefined, code: string | undefined, container: string): string {
  if (status === undefined) return '; if it never can, AZURE_STORAGE_CONNECTION_STRING or the network must be corrected';
  if (status === 403) return ': it refused the signature or the permission; AZURE_STORAGE_CONNECTION_STRING must be corrected';
  if (code === 'ContainerNotFound') return `: the container "${container}" (AZURE_BLOB_CONTAINER) does not exist and must be created`;
  if (code === 'ResourceNotFound')
    return ': the account or the container does not exist; AZURE_STORAGE_CONNECTION_STRING and AZURE_BLOB_CONTAINER must be checked';
  if (status < 300) return ': that is not a response of a blob endpoint; a proxy may stand in between';
  if (status <= 401 || status === 404) return ': that is no blob endpoint; AZURE_STORAGE_CONNECTION_STRING must be corrected';
  return '';
}
