import { GatewayError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Clock, Runtime } from '../ports.ts';
import type { ByteReader } from '../streams/byte-reader.ts';
import type { MediaFormat } from './formats.ts';
import type { ObjectStore } from './object-store.ts';
import { createReadCheck } from './read-check.ts';

type MediaKind = 'image' | 'audio' | 'video' | 'upload';

/** How media is named and read. */
export type MediaSettings = Readonly<{
  pathPrefix: string | undefined;
  roots: Readonly<Record<MediaKind, string>>;
  /** The lifetime of a link; `undefined` for public containers. */
  readHours: number | undefined;
}>;

/** Memory held by a body that is stored as it arrives: the smallest part that S3 takes; a block of Azure's is smaller. */
export const UPLOAD_BYTES = 5 * 1024 * 1024;

/** A body to store as it arrives. */
type MediaSource = Readonly<{
  body: ByteReader;
  /** Whether the caller can reopen the same body. */
  repeatable: boolean;
}>;

export type SavedMedia = Readonly<{
  url: string;
  contentType: string;
  bytes: number;
  /** ISO 8601: when the URL expires, in a private container. */
  expiresAt?: string;
  /** Set when the URL cannot be read; says what to correct. */
  warning?: string;
  /** Set when an object of that name existed, and was left unchanged. */
  existed?: true;
}>;

export type MediaStore = Readonly<{
  /** The unset variables; empty when storage is configured. */
  missing: readonly string[];
  /** The origins of media URLs; empty when storage is not configured. */
  publicOrigins(): readonly string[];
  /** Whether that is the URL of something in this store. */
  isOwn(url: string): boolean;
  /** Throws when media certainly cannot be stored (`not_configured`, `storage_unusable`). Call before any billed request. */
  assertReady(): Promise<void>;
  /** A new name, `{prefix}/{root}/{yyyy}/{mm}/{dd}/{uuid}.{ext}`, with today's date in UTC. */
  newName(kind: MediaKind, format: MediaFormat): string;
  /** The name for a job's file, `{prefix}/{root}/{yyyy}/{mm}/{dd}/{file}`, with the job's creation date in UTC. */
  jobName(kind: MediaKind, createdAtMs: number, file: string): string;
  /** Stores bytes. An existing object of that name is kept and counts as stored. */
  save(name: string, bytes: Uint8Array<ArrayBuffer>, format: MediaFormat, repeatable: boolean): Promise<SavedMedia>;
  /** Stores a body as it arrives. An existing object of that name is kept and counts as stored. */
  saveStream(name: string, source: MediaSource, format: MediaFormat): Promise<SavedMedia>;
  /** The media stored under that name, or `undefined`. */
  find(name: string): Promise<SavedMedia | undefined>;
  /** A link to the media of that name, whether it is stored yet or not. */
  link(name: string): Promise<Pick<SavedMedia, 'url' | 'expiresAt'>>;
  /** The media at a URL of this store; `undefined` if it is not there. Throws when it is larger than `maxBytes`. */
  read(url: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** A link to the same media that is valid from now on; `undefined` for a URL of something else. */
  renew(url: string): Promise<Pick<SavedMedia, 'url' | 'expiresAt'> | undefined>;
}>;

type MediaRuntime = Clock & Pick<Runtime, 'fetch' | 'randomUUID'> & Readonly<{ log: Pick<Log, 'warn'> }>;

const HOUR_MS = 3_600_000;

/** Creates a media store on top of an object store. */
export function createMediaStore(store: ObjectStore, { pathPrefix, roots, readHours }: MediaSettings, runtime: MediaRuntime): MediaStore {
  const { fetch, log, now, randomUUID } = runtime;
  const { linkRemedy: remedy } = store;
  const readCheck = remedy ? createReadCheck({ fetch, clock: runtime, log, remedy, isSigned: readHours !== undefined }) : async () => ({});
  const assertReady = createReadyCheck(() => store.assertUsable(jobName('image', now(), randomUUID())), store.isDown);

  /** All names are built here, from safe segments only. */
  function jobName(kind: MediaKind, createdAtMs: number, file: string): string {
    const day = new Date(createdAtMs).toISOString().slice(0, 10).replaceAll('-', '/');
    return [...(pathPrefix ? [pathPrefix] : []), roots[kind], day, file].join('/');
  }

  async function link(name: string): Promise<Pick<SavedMedia, 'url' | 'expiresAt'>> {
    const expiresOn = readHours === undefined ? undefined : new Date(Math.floor((now() + readHours * HOUR_MS) / 1000) * 1000);
    const url = await store.link(name, expiresOn);
    return { url, ...(expiresOn && { expiresAt: expiresOn.toISOString() }) };
  }

  async function toSaved(name: string, contentType: string, bytes: number): Promise<SavedMedia> {
    const linked = await link(name);
    return { ...linked, contentType, bytes, ...(await readCheck(linked.url, bytes)) };
  }

  async function find(name: string): Promise<SavedMedia | undefined> {
    const found = await store.head(name);
    return found && toSaved(name, found.contentType, found.bytes);
  }

  async function findExisting(name: string): Promise<SavedMedia | undefined> {
    const found = await find(name);
    return found && { ...found, existed: true };
  }

  return {
    missing: [],
    publicOrigins: store.linkOrigins,
    isOwn: (url) => store.nameOf(url) !== undefined,
    assertReady,
    newName: (kind, { extension }) => jobName(kind, now(), `${randomUUID()}.${extension}`),
    jobName,
    async save(name, bytes, { contentType }, repeatable) {
      const { outcome } = await store.create(name, bytes, { contentType, repeatable });
      return (outcome === 'exists' ? await findExisting(name) : undefined) ?? toSaved(name, contentType, bytes.byteLength);
    },
    async saveStream(name, { body, repeatable }, { contentType }) {
      const { outcome, bytes } = await store.create(name, body, { contentType, repeatable });
      return (outcome === 'exists' ? await findExisting(name) : undefined) ?? toSaved(name, contentType, bytes);
    },
    find,
    link,
    async read(url, maxBytes) {
      const name = store.nameOf(url);
      return name === undefined ? undefined : (await store.read(name, maxBytes))?.body;
    },
    async renew(url) {
      const name = store.nameOf(url);
      return name === undefined ? undefined : link(name);
    },
  };
}

/** Checks storage before a billed request until the check succeeds once, and again while the store is down. */
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

/** The media store used while these variables are not set. */
export function createMissingMediaStore(missing: readonly string[]): MediaStore {
  const fail = (): never => {
    throw new GatewayError({ kind: 'not_configured', what: 'Storage for media (MEDIA_STORE)', variables: missing });
  };
  const reject = async () => fail();
  return {
    missing,
    publicOrigins: () => [],
    isOwn: () => false,
    assertReady: reject,
    newName: fail,
    jobName: fail,
    save: reject,
    saveStream: reject,
    find: reject,
    link: reject,
    read: reject,
    renew: reject,
  };
}
