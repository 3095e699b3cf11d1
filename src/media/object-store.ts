import type { ByteReader } from '../streams/byte-reader.ts';

/** The metadata of a stored object. */
export type ObjectInfo = Readonly<{
  bytes: number;
  contentType: string;
  /** Changes whenever the content does; opaque. */
  etag: string;
}>;

export type CreateOptions = Readonly<{
  contentType: string;
  /** Whether the caller can get the same content again for free; otherwise storing it is retried for minutes. */
  repeatable: boolean;
  /** Whether the object will be replaced; what is not may be cached forever. */
  mutable?: boolean;
}>;

/**
 * `exists`: an object of this name already exists and was left unchanged. `etag` is that of the new object, unless the
 * response was lost and the object was found when the write was retried.
 */
export type CreateOutcome = Readonly<{ outcome: 'created' | 'exists'; bytes: number; etag?: string | undefined }>;

export type ReplaceOutcome = Readonly<{ outcome: 'replaced'; etag: string } | { outcome: 'changed' }>;

/**
 * The contract that every kind of object store implements for one container or bucket. Names are slash-separated
 * segments of safe characters, chosen by the caller. All functions retry transient faults, and throw `storage` failures
 * that name the store's own variables.
 */
export type ObjectStore = Readonly<{
  /**
   * Writes a new object (`If-None-Match: *`) from bytes or a stream; never overwrites. If the stream fails, nothing is
   * committed and its error is rethrown.
   */
  create(name: string, body: Uint8Array<ArrayBuffer> | ByteReader, options: CreateOptions): Promise<CreateOutcome>;
  /** Reads the whole object; `undefined` when it does not exist. Throws when it is larger than `maxBytes`. */
  read(name: string, maxBytes: number): Promise<(ObjectInfo & { body: Uint8Array<ArrayBuffer> }) | undefined>;
  /** Replaces an object if its `etag` still matches (`If-Match`); `changed`: it does not, or the object is gone. */
  replace(name: string, body: Uint8Array<ArrayBuffer>, contentType: string, etag: string): Promise<ReplaceOutcome>;
  /** Reads the metadata; `undefined` when the object does not exist or the credential cannot read. */
  head(name: string): Promise<ObjectInfo | undefined>;
  /** Deletes an object, if its `etag` still matches when one is given; succeeds when it does not exist. */
  delete(name: string, etag?: string): Promise<void>;
  /** A URL that anyone can read: permanently in a public container, until `expiresOn` in a private one. */
  link(name: string, expiresOn: Date | undefined): Promise<string>;
  /** The object behind a link, which may have expired; `undefined` for any other URL. */
  nameOf(url: string): string | undefined;
  /** The origins of all links, each with its port unless that is the default; more than one where the gateway has several hosts. */
  linkOrigins(): readonly string[];
  /** What the operator must correct when links cannot be read; `undefined`: the gateway itself serves them. */
  linkRemedy: Readonly<{ refused: string; signedRefused: string; unreachable: string }> | undefined;
  /** Tries a write that stores nothing, and throws if the store is unreachable, does not exist, or rejects the credential. */
  assertUsable(missingName: string): Promise<void>;
  /** Whether the store counts as down after repeated consecutive failures. */
  isDown(): boolean;
}>;

/** A store whose objects the gateway serves. */
export type ServedStore = ObjectStore &
  Readonly<{
    /** The bytes of an object from `start` on, as `head` has described it; errors if the object has changed since. */
    stream(name: string, etag: string, start: number, bytes: number): Promise<ReadableStream<Uint8Array>>;
  }>;

/** The segments that names consist of. */
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}(\/[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}){0,15}$/;

/** Whether a name keeps the promise of the contract: no path can be built from it that leaves its root. */
export function isObjectName(name: string): boolean {
  return NAME.test(name);
}
