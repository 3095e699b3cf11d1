import { AwsV4Signer } from 'aws4fetch';
import type { GatewayError } from '../errors.ts';
import { isTransientStatus } from '../http-semantics.ts';
import { ERROR_BODY_TIMEOUT_MS, MAX_ERROR_BODY_BYTES } from '../limits.ts';
import {
  attemptOnce,
  createRetries,
  type RetriedResponse,
  readWhole,
  retryAfterMs,
  type StoreOperation,
  type StoreResponse,
  type StoreRuntime,
} from '../storage/requests.ts';
import { storageError } from './storage-error.ts';
import { elementText } from './xml.ts';

/** A bucket, and the credential for it. */
export type Bucket = Readonly<{
  /** The URL of the API, without a trailing slash. */
  endpoint: string;
  /** `undefined`: that in the endpoint's name, or `us-east-1`. */
  region: string | undefined;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** Of temporary credentials; links show it. */
  sessionToken?: string | undefined;
}>;

/** `resultElement`: what the body of a success has. S3 may find out that it has failed after it has sent the status of a success. */
type S3Operation = StoreOperation & Readonly<{ resultElement?: string }>;

export type S3Requests = Readonly<{
  /** Sends the operation once. Never throws. */
  attempt(name: string, operation: S3Operation): Promise<StoreResponse>;
  /** Retries until the response is not transient or the retry time is up. */
  send(name: string, operation: S3Operation): Promise<RetriedResponse>;
  /** A URL at which anyone can read the object until `expiresOn`. */
  presign(name: string, expiresOn: Date): Promise<string>;
  /** Whether the store counts as down after repeated consecutive failures. */
  isDown(): boolean;
  /** Converts a failed response into a failure for the client. */
  toError(response: StoreResponse): GatewayError;
}>;

/** The longest that S3 takes. */
const MAX_PRESIGNED_SECONDS = 7 * 24 * 3600;
const MAX_CODE_CHARACTERS = 64;
/** An upload's id, or an ETag. */
const MAX_RESULT_CHARACTERS = 2_048;

/** Requests to the objects of one bucket, with retries; each attempt is signed anew. URLs have the bucket in their path. */
export function createS3Requests(settings: Bucket, runtime: StoreRuntime): S3Requests {
  const { endpoint, region, bucket, accessKeyId, secretAccessKey, sessionToken } = settings;
  /** The keys that are derived from the secret, by day. */
  const cache = new Map<string, ArrayBuffer>();
  const urlOf = (name: string) => `${endpoint}/${bucket}/${name.split('/').map(encodeURIComponent).join('/')}`;

  function sign(method: string, url: string, options: Readonly<{ headers?: Record<string, string>; signQuery?: boolean }>) {
    const datetime = new Date(runtime.now()).toISOString().replace(/[:-]|\.\d{3}/g, '');
    const credential = { accessKeyId, secretAccessKey, service: 's3', ...(sessionToken && { sessionToken }), ...(region && { region }) };
    return new AwsV4Signer({ method, url, datetime, cache, ...credential, ...options }).sign();
  }

  async function fetchObject(name: string, { method, query, headers, init }: StoreOperation, signal: AbortSignal): Promise<Response> {
    const sending = init?.();
    const all = { ...headers, ...Object.fromEntries(new Headers(sending?.headers)) };
    const signed = await sign(method, query ? `${urlOf(name)}?${query}` : urlOf(name), { headers: all });
    // Compression on the way would make the ETag weak. Unsigned, because proxies rewrite it.
    const sent = { ...Object.fromEntries(signed.headers), 'accept-encoding': 'identity' };
    return runtime.fetch(signed.url.href, { redirect: 'manual', signal, ...sending, method, headers: sent });
  }

  async function attempt(name: string, operation: S3Operation): Promise<StoreResponse> {
    const { resultElement, method } = operation;
    const bounded = resultElement ? { ...operation, maxBodyBytes: MAX_ERROR_BODY_BYTES } : operation;
    const send = (signal: AbortSignal) => fetchObject(name, operation, signal);
    const response = await attemptOnce(runtime, bounded, send, (received) => toStoreResponse(received, method, runtime));
    const isFailed = response.ok && resultElement !== undefined && resultOf(response, resultElement) === undefined;
    return isFailed ? toLateFailure(response) : response;
  }

  return {
    attempt,
    ...createRetries(attempt, runtime),
    async presign(name, expiresOn) {
      const seconds = Math.floor(expiresOn.getTime() / 1000) - Math.floor(runtime.now() / 1000);
      const expires = Math.max(1, Math.min(seconds, MAX_PRESIGNED_SECONDS));
      return (await sign('GET', `${urlOf(name)}?X-Amz-Expires=${expires}`, { signQuery: true })).url.href;
    },
    toError: (response) => storageError(response, bucket),
  };
}

/** The text of an element of the body that was read. */
export function resultOf({ body }: StoreResponse, element: string): string | undefined {
  return body && elementText(new TextDecoder().decode(body), element, MAX_RESULT_CHARACTERS);
}

/** What S3 sends with a success; a response without it comes from a proxy and says nothing about the object. */
const SUCCESS = {
  PUT: (status: number, headers: Headers) => status === 200 && headers.has('etag'),
  GET: (status: number, headers: Headers) => status === 200 && headers.has('etag'),
  HEAD: (status: number, headers: Headers) => status === 200 && headers.has('etag'),
  DELETE: (status: number) => status === 204,
  POST: (status: number) => status === 200,
} as const;
/** Another write of the same object was in progress. */
const TRANSIENT_CODES = ['ConditionalRequestConflict', 'OperationAborted', 'RequestTimeout'];
/** Of these, the status says so, unless it has been sent before. */
const LATE_TRANSIENT_CODES = [...TRANSIENT_CODES, 'InternalError', 'ServiceUnavailable', 'SlowDown', ''];

async function toStoreResponse(response: Response, method: StoreOperation['method'], runtime: StoreRuntime): Promise<StoreResponse> {
  const { status, headers } = response;
  const ok = SUCCESS[method](status, headers);
  const code = ok || status < 300 ? '' : await readCode(response, runtime);
  return {
    ok,
    status,
    code,
    headers,
    transient: isTransientStatus(status) || TRANSIENT_CODES.includes(code) || (!ok && status >= 200 && status < 300),
    retryAfterMs: retryAfterMs(headers),
  };
}

/** Of a failure after the status of a success, the body is all there is. */
function toLateFailure(response: StoreResponse): StoreResponse {
  const code = codeIn(response.body);
  const status = code === 'PreconditionFailed' ? { status: 412 } : {};
  return { ...response, ...status, ok: false, code, transient: LATE_TRANSIENT_CODES.includes(code) };
}

/** The code is in the body, which HEAD does not have. */
async function readCode(response: Response, runtime: StoreRuntime): Promise<string> {
  const body = await readWhole(response, MAX_ERROR_BODY_BYTES, runtime, ERROR_BODY_TIMEOUT_MS).catch(() => new Uint8Array(0));
  return codeIn(body);
}

function codeIn(body: Uint8Array | undefined): string {
  const code = elementText(new TextDecoder().decode(body), 'Code', MAX_CODE_CHARACTERS);
  return code !== undefined && /^[A-Za-z0-9.]+$/.test(code) ? code : '';
}
