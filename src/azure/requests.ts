import { GatewayError } from '../errors.ts';
import type { StorageAccount } from './connection-string.ts';
import { blobSasQuery, importAccountKey, STORAGE_VERSION } from './sas.ts';

/** What differs between the runtimes or is replaced in tests. */
export type BlobRuntime = Readonly<{
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  /**
   * A body that fetch sends as it is written, with a Content-Length, which Azure insists on, and without keeping it in
   * memory. Each runtime has a way of its own.
   */
  fixedLengthBody: (lengthBytes: number) => FixedLengthBody;
  /** What makes fetch send bytes that are at hand without copying them. */
  bytesInit: (bytes: Uint8Array<ArrayBuffer>) => RequestInit;
  /** Milliseconds since the epoch. */
  now: () => number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}>;

/** The other end of the body of one request. */
export type FixedLengthBody = Readonly<{
  init: RequestInit;
  /** Sends a chunk, whose memory can be used again afterwards; resolves with whether it is still wanted. Never throws. */
  write(chunk: Uint8Array<ArrayBuffer>): Promise<boolean>;
  /** Ends the body. Never throws. */
  close(): Promise<void>;
  /** Breaks the request off if the body has not ended. Never throws. */
  abort(): Promise<void>;
}>;

/** One REST operation on a blob. */
type BlobOperation = Readonly<{
  method: 'PUT' | 'HEAD';
  /** What its SAS must allow, in the order Azure wants. */
  permissions: string;
  /** Query parameters besides the SAS, such as `comp=block`. */
  query?: string;
  headers?: Readonly<Record<string, string>>;
  /** The body of one attempt, and how it is to be sent. */
  init?: () => RequestInit;
  /** Breaks the attempt off. */
  signal?: AbortSignal;
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
  /** Whether the same operation may work a little later. */
  passing: boolean;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}>;

export type BlobRequests = Readonly<{
  /** Sends the operation once. Never throws. */
  attempt(name: string, operation: BlobOperation): Promise<BlobAnswer>;
  /** Sends it until it has an answer that does not pass, four times at most; with how many attempts it took. */
  send(name: string, operation: BlobOperation): Promise<BlobAnswer & { attempts: number }>;
  /** A SAS query that lets anyone read this blob until `expiresOn`. */
  readSas(name: string, expiresOn: Date): Promise<string>;
  /** The failure that an answer means for a client. */
  toError(answer: BlobAnswer): GatewayError;
}>;

const MAX_ATTEMPTS = 4;
const FIRST_BACKOFF_MS = 250;
const ATTEMPT_TIMEOUT_MS = 60_000;
const MAX_RETRY_AFTER_SECONDS = 30;
/** Azure's clocks and ours may disagree by some minutes. */
const SAS_STARTS_BEFORE_MS = 5 * 60_000;
const SAS_LASTS_MS = 15 * 60_000;
const PASSING = new Set([408, 429, 500, 502, 503, 504]);

/** SAS-signed requests to the blobs of one container; each attempt is signed anew. */
export function createBlobRequests(account: StorageAccount, container: string, runtime: BlobRuntime): BlobRequests {
  const { credential } = account;
  const key = credential.kind === 'key' ? importAccountKey(credential.keyBase64) : undefined;
  // The import is awaited at the first use; until then its failure must not count as unhandled.
  key?.catch(() => {});

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
      const sas = await sasQuery(name, operation.permissions, new Date(runtime.now() + SAS_LASTS_MS));
      const path = name.split('/').map(encodeURIComponent).join('/');
      const init = operation.init?.();
      const timeout = AbortSignal.timeout(operation.timeoutMs ?? ATTEMPT_TIMEOUT_MS);
      const query = operation.query ? `${operation.query}&${sas}` : sas;
      const response = await runtime.fetch(`${account.blobEndpoint}/${container}/${path}?${query}`, {
        redirect: 'manual',
        signal: operation.signal ? AbortSignal.any([operation.signal, timeout]) : timeout,
        ...init,
        method: operation.method,
        headers: { ...operation.headers, ...headersOf(init), 'x-ms-version': STORAGE_VERSION },
      });
      await response.body?.cancel();
      return toAnswer(response);
    } catch (cause) {
      return { ok: false, passing: true, cause };
    }
  }

  async function send(name: string, operation: BlobOperation): Promise<BlobAnswer & { attempts: number }> {
    for (let attempts = 1; ; attempts++) {
      const answer = await attempt(name, operation);
      if (!answer.passing || attempts === MAX_ATTEMPTS) return { ...answer, attempts };
      await runtime.sleep(answer.retryAfterMs ?? FIRST_BACKOFF_MS * 2 ** (attempts - 1));
    }
  }

  return {
    attempt,
    send,
    readSas: (name, expiresOn) => sasQuery(name, 'r', expiresOn),
    toError: (answer) => storageError(answer, container),
  };
}

function headersOf(init: RequestInit | undefined): Record<string, string> {
  return Object.fromEntries(new Headers(init?.headers));
}

function toAnswer(response: Response): BlobAnswer {
  const retryAfterSeconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return {
    ok: response.ok,
    status: response.status,
    code: response.headers.get('x-ms-error-code') ?? 'no error code',
    headers: response.headers,
    passing: PASSING.has(response.status),
    retryAfterMs: retryAfterSeconds > 0 && retryAfterSeconds <= MAX_RETRY_AFTER_SECONDS ? retryAfterSeconds * 1000 : undefined,
  };
}

/** `code` is one of Azure's constants from a header; the body, which can quote the signature, is never told. */
function storageError({ status, code, passing, cause }: BlobAnswer, container: string): GatewayError {
  const answered = status === undefined ? 'Azure Blob Storage could not be reached' : `Azure Blob Storage answered ${status} (${code})`;
  return new GatewayError({ kind: 'storage', problem: `${answered}${remedyOf(status, code, container)}`, retryable: passing }, { cause });
}

function remedyOf(status: number | undefined, code: string | undefined, container: string): string {
  if (status === undefined) return '; if it never can, AZURE_STORAGE_CONNECTION_STRING or the network must be corrected';
  if (status === 403) return ': it refused the signature or the permission; AZURE_STORAGE_CONNECTION_STRING must be corrected';
  if (code === 'ContainerNotFound') return `: the container "${container}" (AZURE_BLOB_CONTAINER) does not exist and must be created`;
  if (code === 'ResourceNotFound')
    return ': the account or the container does not exist; AZURE_STORAGE_CONNECTION_STRING and AZURE_BLOB_CONTAINER must be checked';
  if (status <= 401 || status === 404) return ': that is no blob endpoint; AZURE_STORAGE_CONNECTION_STRING must be corrected';
  return '';
}
