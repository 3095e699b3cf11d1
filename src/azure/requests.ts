import type { GatewayError } from '../errors.ts';
import { type BlobOperation, type BlobResponse, type BlobRuntime, createAttempt, createSasSigner } from './attempts.ts';
import type { StorageAccount } from './connection-string.ts';
import { createRetryGate } from './retry-gate.ts';
import { storageError } from './storage-error.ts';

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

/** SAS-signed requests to the blobs of one container, with retries; each attempt is signed anew. */
export function createBlobRequests(account: StorageAccount, container: string, runtime: BlobRuntime): BlobRequests {
  const sign = createSasSigner(account, container, runtime);
  const attempt = createAttempt(`${account.blobEndpoint}/${container}`, sign, runtime);
  const gate = createRetryGate(runtime);

  async function send(name: string, operation: BlobOperation): Promise<BlobResponse & { attempts: number }> {
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

  async function sendOnce(name: string, operation: BlobOperation): Promise<BlobResponse & { attempts: number }> {
    const response = await attempt(name, operation);
    if (!response.transient) gate.close();
    return { ...response, attempts: 1 };
  }

  return {
    attempt,
    send,
    isDown: gate.isOpen,
    readSas: (name, expiresOn) => sign(name, 'r', expiresOn),
    toError: (response) => storageError(response, container),
  };
}

/** Exponential backoff with 50% jitter, so that operations that failed together do not retry together. */
function backoffMs(attempts: number, random: number): number {
  const ms = Math.min(FIRST_BACKOFF_MS * 2 ** (attempts - 1), MAX_BACKOFF_MS);
  return ms / 2 + (random * ms) / 2;
}
