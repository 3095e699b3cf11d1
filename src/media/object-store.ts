import type { ByteReader } from '../streams/byte-reader.ts';

/** What is known of a stored object without reading it. */
export type ObjectInfo = Readonly<{
  bytes: number;
  contentType: string;
  /** Changes with every write; opaque. */
  etag: string;
}>;

export type CreateOptions = Readonly<{
  contentType: string;
  /** Whether the caller has the same content again at no cost; what it has not is tried to be stored for minutes. */
  repeatable: boolean;
}>;

/** `exists`: there was an object of this name already, and it was left as it is. */
export type CreateOutcome = Readonly<{ outcome: 'created' | 'exists'; bytes: number }>;

/**
 * Where media is kept: the objects of one container or bucket, and the contract that each kind of store implements.
 * Names are slash-separated segments of safe characters, made by the caller. All functions throw `storage` failures,
 * whose sentences name the store's own variables, and retry transient faults by themselves.
 */
export type ObjectStore = Readonly<{
  /**
   * Writes a new object (`If-None-Match: *`) from bytes or from a stream; never overwrites. When the stream fails,
   * nothing is committed, and its error is thrown.
   */
  create(name: string, body: Uint8Array<ArrayBuffer> | ByteReader, options: CreateOptions): Promise<CreateOutcome>;
  /** The object as a whole; `undefined` when there is none. Throws when it is larger than `maxBytes`. */
  read(name: string, maxBytes: number): Promise<(ObjectInfo & { body: Uint8Array<ArrayBuffer> }) | undefined>;
  /** Writes an object anew if it still is the one of this `etag` (`If-Match`); `changed`: it is not, or is gone. */
  replace(name: string, body: Uint8Array<ArrayBuffer>, contentType: string, etag: string): Promise<'replaced' | 'changed'>;
  /** `undefined` when there is none, or the store may not look. */
  head(name: string): Promise<ObjectInfo | undefined>;
  /** An object that is not there counts as deleted. */
  delete(name: string): Promise<void>;
  /** A URL that anybody can read: for good in a public container, until `expiresOn` in a private one. */
  link(name: string, expiresOn: Date | undefined): Promise<string>;
  /** The host of all links, with its port unless that is the default. */
  linkHost: string;
  /** What the operator has to correct when links cannot be read. */
  linkRemedy: Readonly<{ refused: string; signedRefused: string; unreachable: string }>;
  /** Throws if the store does not respond, does not exist, or refuses the credential: a look for an object that is not there tells. */
  assertUsable(missingName: string): Promise<void>;
  /** Whether the store has failed so often in a row that it counts as down. */
  isDown(): boolean;
}>;
