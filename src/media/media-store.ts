import { GatewayError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Clock, Runtime } from '../ports.ts';
import type { ByteReader } from '../streams/byte-reader.ts';
import type { MediaFormat } from './formats.ts';
import type { ObjectStore } from './object-store.ts';
import { createReadCheck } from './read-check.ts';

type MediaKind = 'image' | 'audio' | 'video';

/** How media is named, and how it is read. */
export type MediaSettings = Readonly<{
  pathPrefix: string | undefined;
  roots: Readonly<Record<MediaKind, string>>;
  /** How long a link lasts; `undefined` for public containers. */
  readHours: number | undefined;
}>;

/** A body to be stored as it arrives. */
type MediaSource = Readonly<{
  body: ByteReader;
  /** Whether the caller can open the same body again. */
  repeatable: boolean;
}>;

export type SavedMedia = Readonly<{
  url: string;
  contentType: string;
  bytes: number;
  /** ISO 8601: when the URL ends, in a private container. */
  expiresAt?: string;
  /** That the URL cannot be read, and what is to be corrected. */
  warning?: string;
}>;

export type MediaStore = Readonly<{
  /** The variables that are not set; empty when media can be stored. */
  missing: readonly string[];
  /** The host of the URLs that media gets; `undefined` when media cannot be stored. */
  publicHost: string | undefined;
  /** Throws when it is certain that media cannot be stored (`not_configured`, `storage_unusable`); for before anything is spent. */
  assertReady(): Promise<void>;
  /** A new name, `{prefix}/{root}/{yyyy}/{mm}/{dd}/{uuid}.{ext}`, with the day of today in UTC. */
  newName(kind: MediaKind, format: MediaFormat): string;
  /** The name that belongs to a job, `{prefix}/{root}/{yyyy}/{mm}/{dd}/{file}`, with the day of its creation in UTC. */
  jobName(kind: MediaKind, createdAtMs: number, file: string): string;
  /** Stores bytes that are at hand. What is stored under that name already stays, and counts as stored. */
  save(name: string, bytes: Uint8Array<ArrayBuffer>, format: MediaFormat): Promise<SavedMedia>;
  /** Stores a body as it arrives; the same holds. */
  saveStream(name: string, source: MediaSource, format: MediaFormat): Promise<SavedMedia>;
  /** What is stored under that name, or `undefined`. */
  find(name: string): Promise<SavedMedia | undefined>;
}>;

type MediaRuntime = Clock & Pick<Runtime, 'fetch' | 'randomUUID'> & Readonly<{ log: Pick<Log, 'warn'> }>;

const HOUR_MS = 3_600_000;

/** Media in an object store. */
export function createMediaStore(store: ObjectStore, { pathPrefix, roots, readHours }: MediaSettings, runtime: MediaRuntime): MediaStore {
  const { fetch, log, now, randomUUID } = runtime;
  const readCheck = createReadCheck({ fetch, clock: runtime, log, remedy: store.linkRemedy, isSigned: readHours !== undefined });
  const assertReady = createReadyCheck(() => store.assertUsable(jobName('image', now(), randomUUID())), store.isDown);

  /** Names are made here, from safe segments only. */
  function jobName(kind: MediaKind, createdAtMs: number, file: string): string {
    const day = new Date(createdAtMs).toISOString().slice(0, 10).replaceAll('-', '/');
    return [...(pathPrefix ? [pathPrefix] : []), roots[kind], day, file].join('/');
  }

  async function toSaved(name: string, contentType: string, bytes: number): Promise<SavedMedia> {
    const expiresOn = readHours === undefined ? undefined : new Date(Math.floor((now() + readHours * HOUR_MS) / 1000) * 1000);
    const url = await store.link(name, expiresOn);
    return { url, contentType, bytes, ...(expiresOn && { expiresAt: expiresOn.toISOString() }), ...(await readCheck(url, bytes)) };
  }

  async function find(name: string): Promise<SavedMedia | undefined> {
    const found = await store.head(name);
    return found && toSaved(name, found.contentType, found.bytes);
  }

  return {
    missing: [],
    publicHost: store.linkHost,
    assertReady,
    newName: (kind, { extension }) => jobName(kind, now(), `${randomUUID()}.${extension}`),
    jobName,
    async save(name, bytes, { contentType }) {
      const { outcome } = await store.create(name, bytes, { contentType, repeatable: false });
      return (outcome === 'exists' ? await find(name) : undefined) ?? toSaved(name, contentType, bytes.byteLength);
    },
    async saveStream(name, { body, repeatable }, { contentType }) {
      const { outcome, bytes } = await store.create(name, body, { contentType, repeatable });
      return (outcome === 'exists' ? await find(name) : undefined) ?? toSaved(name, contentType, bytes);
    },
    find,
  };
}

/** Tries the storage before something is paid for, until that has worked once, and again while it is down. */
function createReadyCheck(assertUsable: () => Promise<void>, isDown: () => boolean): () => Promise<void> {
  let isReady = false;
  return async () => {
    if (isReady && !isDown()) return;
    await assertUsable().catch((error: unknown) => {
      if (!(error instanceof GatewayError)) throw error;
      throw new GatewayError({ kind: 'storage_unusable', reason: error.failure }, { cause: error });
    });
    isReady = true;
  };
}

/** What stands in for it while the operator has not set these variables. */
export function createMissingMediaStore(missing: readonly string[]): MediaStore {
  const refuse = (): never => {
    throw new GatewayError({ kind: 'not_configured', what: 'Storage for media', variables: missing });
  };
  const rejected = async () => refuse();
  return {
    missing,
    publicHost: undefined,
    assertReady: rejected,
    newName: refuse,
    jobName: refuse,
    save: rejected,
    saveStream: rejected,
    find: rejected,
  };
}
