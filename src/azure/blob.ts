import type { ByteReader } from '../streams/byte-reader.ts';
import type { StorageAccount } from './connection-string.ts';
import { type BlobAnswer, type BlobRuntime, createBlobRequests } from './requests.ts';
import { type PutOutcome, putBlocks, putBytes, type StreamOutcome } from './upload.ts';

/** A body to be stored as it arrives. */
export type BlobSource = Readonly<{
  body: ByteReader;
  /** Whether the caller can open the same body again; one that cannot is tried to be stored for minutes. */
  repeatable: boolean;
}>;

/** Blobs are never overwritten. All of these throw `storage` failures. */
export type BlobClient = Readonly<{
  /** Writes a block blob in one request, trying again for minutes after transient faults. */
  put(name: string, body: Uint8Array<ArrayBuffer>, contentType: string): Promise<PutOutcome>;
  /** Writes a block blob from a stream. When the stream fails, nothing is committed, and its error is thrown. */
  putStream(name: string, source: BlobSource, contentType: string): Promise<StreamOutcome>;
  /** The size and type of a blob, or `undefined` when there is none (or a SAS of the operator's may not look). */
  head(name: string): Promise<{ bytes: number; contentType: string } | undefined>;
  /** Throws if the container does not answer, does not exist, or refuses the key: a look for a missing blob tells. */
  assertUsable(missingName: string): Promise<void>;
  /** Whether the store has failed so often in a row that it counts as down. */
  isDown(): boolean;
  /** A SAS query that lets anyone read this blob until `expiresOn`. */
  readSas(name: string, expiresOn: Date): Promise<string>;
}>;

const USABLE_TIMEOUT_MS = 5_000;

/** Only what is certain: storage of other makes may respond otherwise. A SAS that may only write is refused a look. */
function isUnusable({ transient, status = 0, code = '' }: BlobAnswer): boolean {
  const isNoContainer = (status >= 300 && status <= 401) || code === 'ContainerNotFound' || code === 'ResourceNotFound';
  return transient || isNoContainer || (status === 403 && code !== 'AuthorizationPermissionMismatch');
}

/** A client for the blobs of one container, on SAS-signed REST calls. */
export function createBlobClient(account: StorageAccount, container: string, runtime: BlobRuntime): BlobClient {
  const requests = createBlobRequests(account, container, runtime);
  return {
    put: (name, body, contentType) => putBytes(requests, runtime, { name, contentType, repeatable: false }, body),
    putStream: (name, { body, repeatable }, contentType) => putBlocks(requests, runtime, { name, contentType, repeatable }, body),
    async head(name) {
      const answer = await requests.send(name, { method: 'HEAD', permissions: 'r' });
      if (answer.status === 404 || (answer.status === 403 && account.credential.kind === 'sas')) return undefined;
      if (!answer.ok) throw requests.toError(answer);
      return { bytes: Number(answer.headers?.get('content-length')), contentType: answer.headers?.get('content-type') ?? '' };
    },
    async assertUsable(missingName) {
      const look = () => requests.attempt(missingName, { method: 'HEAD', permissions: 'r', timeoutMs: USABLE_TIMEOUT_MS });
      const first = await look();
      const answer = first.transient ? await look() : first;
      if (isUnusable(answer)) throw requests.toError(answer);
    },
    isDown: requests.isDown,
    readSas: requests.readSas,
  };
}
