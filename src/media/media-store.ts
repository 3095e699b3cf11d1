import { type BlobSource, createBlobClient } from '../azure/blob.ts';
import type { StorageAccount } from '../azure/connection-string.ts';
import type { BlobRuntime } from '../azure/requests.ts';
import { GatewayError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { MediaFormat } from './formats.ts';
import { createReadCheck } from './read-check.ts';

type MediaKind = 'image' | 'audio' | 'video';

export type StorageSettings =
  | Readonly<{ configured: false; missing: readonly string[] }>
  | (Readonly<{ configured: true }> & ConfiguredStorage);

type ConfiguredStorage = Readonly<{
  account: StorageAccount;
  container: string;
  /** The URL at which the container's root is reached, without a trailing slash. */
  publicBaseUrl: string;
  pathPrefix: string | undefined;
  roots: Readonly<Record<MediaKind, string>>;
  /** How long a read SAS lasts; `undefined` for public containers. */
  readSasHours: number | undefined;
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
  saveStream(name: string, source: BlobSource, format: MediaFormat): Promise<SavedMedia>;
  /** What is stored under that name, or `undefined`. */
  find(name: string): Promise<SavedMedia | undefined>;
}>;

type MediaRuntime = BlobRuntime & Readonly<{ randomUUID: () => string; log: Pick<Log, 'warn'> }>;

const HOUR_MS = 3_600_000;

export function createMediaStore(settings: StorageSettings, runtime: MediaRuntime): MediaStore {
  return settings.configured ? createConfiguredStore(settings, runtime) : createMissingStore(settings.missing);
}

function createConfiguredStore(settings: ConfiguredStorage, runtime: MediaRuntime): MediaStore {
  const { account, container, publicBaseUrl, pathPrefix, roots, readSasHours } = settings;
  const blobs = createBlobClient(account, container, runtime);
  const readCheck = createReadCheck({ fetch: runtime.fetch, clock: runtime, log: runtime.log, isSigned: readSasHours !== undefined });
  const assertReady = createReadyCheck(() => blobs.assertUsable(jobName('image', runtime.now(), runtime.randomUUID())), blobs.isDown);

  /** Names are made here, from safe segments only. */
  function jobName(kind: MediaKind, createdAtMs: number, file: string): string {
    const day = new Date(createdAtMs).toISOString().slice(0, 10).replaceAll('-', '/');
    return [...(pathPrefix ? [pathPrefix] : []), roots[kind], day, file].join('/');
  }

  async function toSaved(name: string, contentType: string, bytes: number): Promise<SavedMedia> {
    const url = `${publicBaseUrl}/${name}`;
    if (readSasHours === undefined) return { url, contentType, bytes, ...(await readCheck(url, bytes)) };
    const expiresOn = new Date(Math.floor((runtime.now() + readSasHours * HOUR_MS) / 1000) * 1000);
    const signed = `${url}?${await blobs.readSas(name, expiresOn)}`;
    return { url: signed, contentType, bytes, expiresAt: expiresOn.toISOString(), ...(await readCheck(signed, bytes)) };
  }

  async function find(name: string): Promise<SavedMedia | undefined> {
    const found = await blobs.head(name);
    return found && toSaved(name, found.contentType, found.bytes);
  }

  return {
    missing: [],
    publicHost: new URL(publicBaseUrl).host,
    assertReady,
    newName: (kind, { extension }) => jobName(kind, runtime.now(), `${runtime.randomUUID()}.${extension}`),
    jobName,
    async save(name, bytes, { contentType }) {
      const outcome = await blobs.put(name, bytes, contentType);
      return (outcome === 'exists' ? await find(name) : undefined) ?? toSaved(name, contentType, bytes.byteLength);
    },
    async saveStream(name, source, { contentType }) {
      const { outcome, bytes } = await blobs.putStream(name, source, contentType);
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

function createMissingStore(missing: readonly string[]): MediaStore {
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
