import { retryAfterSeconds } from '../http-semantics.ts';
import { STORAGE_ATTEMPT_TIMEOUT_MS, STORAGE_RETRY_MS } from '../limits.ts';
import type { Clock, Runtime } from '../ports.ts';
import { readBody } from '../streams/body.ts';
import { withTimeLimit } from '../streams/time-limit.ts';
import { createRetryGate } from './retry-gate.ts';

export type StoreRuntime = Clock &
  Pick<Runtime, 'bytesInit' | 'random' | 'randomUUID'> &
  Readonly<{ fetch: (url: string, init: RequestInit) => Promise<Response> }>;

/** One REST operation on an object. */
export type StoreOperation = Readonly<{
  method: 'PUT' | 'HEAD' | 'GET' | 'DELETE' | 'POST';
  /** Query parameters besides those of a signature, such as `comp=block`. */
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

/** The store's response, success or not. Without a status, the connection failed. */
export type StoreResponse = Readonly<{
  ok: boolean;
  status?: number;
  /** The store's error code, such as BlobAlreadyExists. */
  code?: string;
  headers?: Headers;
  body?: Uint8Array<ArrayBuffer>;
  /** Whether a retry may succeed. */
  transient: boolean;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}>;

/** With the number of attempts that it took. */
export type RetriedResponse = StoreResponse & Readonly<{ attempts: number }>;

const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 15_000;
const MAX_RETRY_AFTER_SECONDS = 30;
/** For operations that the caller can repeat for free. */
const MAX_BRIEF_ATTEMPTS = 4;

/** Content that the caller can get again does not justify minutes of retries. */
export function retryPolicy(repeatable: boolean): { retryForMs?: number } {
  return repeatable ? {} : { retryForMs: STORAGE_RETRY_MS };
}

/** Sends a request once, within its time limit; `judge` says what the response means. Never throws. */
export async function attemptOnce(
  clock: Clock,
  { maxBodyBytes, timeoutMs = STORAGE_ATTEMPT_TIMEOUT_MS }: StoreOperation,
  send: (signal: AbortSignal) => Promise<Response>,
  judge: (response: Response) => StoreResponse | Promise<StoreResponse>,
): Promise<StoreResponse> {
  try {
    return await withTimeLimit(clock, timeoutMs, async (signal) => {
      const response = await send(signal);
      const result = await judge(response);
      if (result.ok && maxBodyBytes !== undefined) return { ...result, body: await readWhole(response, maxBodyBytes, clock) };
      // Not awaited: a body that never ends must not delay the result.
      response.body?.cancel().catch(() => {});
      return result;
    });
  } catch (cause) {
    return { ok: false, transient: true, cause };
  }
}

/** Reads a body that a store sends; throws when it is larger. */
export function readWhole(
  response: Response,
  maxBytes: number,
  clock: Clock,
  timeoutMs = STORAGE_ATTEMPT_TIMEOUT_MS,
): Promise<Uint8Array<ArrayBuffer>> {
  const toError = (problem: string, cause?: unknown) => new Error(problem, { cause });
  return readBody(response, { clock, maxBytes, timeoutMs, minBytesPerMinute: 0, toError });
}

/** The delay that a response asks for, unless that is too long to wait. */
export function retryAfterMs(headers: Headers): number | undefined {
  const seconds = retryAfterSeconds(headers);
  return seconds !== undefined && seconds > 0 && seconds <= MAX_RETRY_AFTER_SECONDS ? seconds * 1000 : undefined;
}

/** Repeats the attempts of operations on one store. */
export function createRetries<Operation extends StoreOperation>(
  attempt: (name: string, operation: Operation) => Promise<StoreResponse>,
  runtime: StoreRuntime,
) {
  const gate = createRetryGate(runtime);

  /** Retries until the response is not transient or the retry time is up. */
  async function send(name: string, operation: Operation): Promise<RetriedResponse> {
    // An operation that the caller can repeat does not wait for a store that is down.
    if (operation.retryForMs === undefined && gate.isOpen()) return sendOnce(name, operation);
    const untilMs = runtime.now() + (operation.retryForMs ?? 0);
    for (let attempts = 1; ; attempts++) {
      const report = await gate.enter(attempts > 1);
      const response = await attempt(name, operation);
      report(!response.transient);
      const waitMs = response.retryAfterMs ?? backoffMs(attempts, runtime.random());
      const isLast = operation.retryForMs === undefined ? attempts === MAX_BRIEF_ATTEMPTS : runtime.now() + waitMs > untilMs;
      if (!response.transient || isLast) return { ...response, attempts };
      await runtime.sleep(waitMs);
    }
  }

  async function sendOnce(name: string, operation: Operation): Promise<RetriedResponse> {
    const response = await attempt(name, operation);
    if (!response.transient) gate.close();
    return { ...response, attempts: 1 };
  }

  /** `isDown`: whether the store counts as down after repeated consecutive failures. */
  return { send, isDown: gate.isOpen };
}

/** Exponential backoff with 50% jitter, so that operations that failed together do not retry together. */
function backoffMs(attempts: number, random: number): number {
  const ms = Math.min(FIRST_BACKOFF_MS * 2 ** (attempts - 1), MAX_BACKOFF_MS);
  return ms / 2 + (random * ms) / 2;
}
