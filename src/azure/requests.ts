import type { GatewayError } from '../errors.ts';
import { createRetries, type RetriedResponse, type StoreResponse, type StoreRuntime } from '../storage/requests.ts';
import { type BlobOperation, createAttempt, createSasSigner } from './attempts.ts';
import type { StorageAccount } from './connection-string.ts';
import { storageError } from './storage-error.ts';

export type BlobRequests = Readonly<{
  /** Sends the operation once. Never throws. */
  attempt(name: string, operation: BlobOperation): Promise<StoreResponse>;
  /** Retries until the response is not transient or the retry time is up. */
  send(name: string, operation: BlobOperation): Promise<RetriedResponse>;
  /** A SAS query that lets anyone read the blob until `expiresOn`. */
  readSas(name: string, expiresOn: Date): Promise<string>;
  /** Whether the store counts as down after repeated consecutive failures. */
  isDown(): boolean;
  /** Converts a failed response into a failure for the client. */
  toError(response: StoreResponse): GatewayError;
}>;

/** SAS-signed requests to the blobs of one container, with retries; each attempt is signed anew. */
export function createBlobRequests(account: StorageAccount, container: string, runtime: StoreRuntime): BlobRequests {
  const sign = createSasSigner(account, container, runtime);
  const attempt = createAttempt(`${account.blobEndpoint}/${container}`, sign, runtime);
  return {
    attempt,
    ...createRetries(attempt, runtime),
    readSas: (name, expiresOn) => sign(name, 'r', expiresOn),
    toError: (response) => storageError(response, container),
  };
}
