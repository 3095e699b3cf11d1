import { type BlobClient, type BlobRuntime, createBlobClient } from '../azure/blob.ts';
import type { StorageAccount } from '../azure/connection-string.ts';
import { GatewayError } from '../errors.ts';
import type { MediaFormat } from './formats.ts';

type MediaKind = 'image' | 'audio' | 'video';

export type StorageSettings =
  | Readonly<{ configured: false; missing: readonly string[] }>
  | Readonly<{
      configured: true;
      account: StorageAccount;
      container: string;
      /** The URL at which the container's root is reached, without a trailing slash. */
      publicBaseUrl: string;
      pathPrefix: string | undefined;
      roots: Readonly<Record<MediaKind, string>>;
      /** How long a read SAS lasts; `undefined` for public containers. */
      readSasHours: number | undefined;
    }>;

type SavedMedia = Readonly<{ url: string; contentType: string; bytes: number }>;

export type MediaStore = Readonly<{
  /** The variables that are not set; empty when media can be stored. */
  missing: readonly string[];
  /** Throws `not_configured` when media cannot be stored; to be called before anything is spent. */
  assertConfigured(): void;
  /** Stores the bytes under a new name and returns the URL at which they are read. */
  save(kind: MediaKind, bytes: Uint8Array<ArrayBuffer>, format: MediaFormat): Promise<SavedMedia>;
}>;

export function createMediaStore(settings: StorageSettings, runtime: BlobRuntime & { randomUUID: () => string }): MediaStore {
  if (!settings.configured) return missingMediaStore(settings.missing);
  const blobs: BlobClient = createBlobClient(settings.account, settings.container, runtime);

  /** `{prefix}/{root}/{yyyy}/{mm}/{dd}/{uuid}.{ext}`, in UTC: made here, from safe segments only. */
  function newName(kind: MediaKind, extension: string): string {
    const day = new Date(runtime.now()).toISOString().slice(0, 10).replaceAll('-', '/');
    const path = `${settings.configured && settings.roots[kind]}/${day}/${runtime.randomUUID()}.${extension}`;
    return settings.configured && settings.pathPrefix ? `${settings.pathPrefix}/${path}` : path;
  }

  return {
    missing: [],
    assertConfigured: () => {},
    async save(kind, bytes, format) {
      const name = newName(kind, format.extension);
      await blobs.put(name, bytes, format.contentType);
      return { url: `${settings.publicBaseUrl}/${name}`, contentType: format.contentType, bytes: bytes.byteLength };
    },
  };
}

function missingMediaStore(missing: readonly string[]): MediaStore {
  const assertConfigured = (): never => {
    throw new GatewayError({ kind: 'not_configured', what: 'Storage for media', variables: missing });
  };
  return { missing, assertConfigured, save: async () => assertConfigured() };
}
