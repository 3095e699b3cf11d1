import { glob, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BlobServiceClient } from '@azure/storage-blob';
import { AwsClient } from 'aws4fetch';
import { type RunningAzurite, startAzurite } from '../stand-ins/azurite.ts';
import { type RunningS3, startS3 } from '../stand-ins/s3.ts';

type StoredFile = Readonly<{ name: string; url: string; createdMs: number; contentType: string; bytes: number }>;

/** A store on this machine. */
export type DemoStore = Readonly<{
  /** The gateway's variables for it. */
  env: Record<string, string>;
  linkOrigin: string;
  /** The media in it. */
  list: () => Promise<StoredFile[]>;
}>;

const STORES: Record<string, () => Promise<DemoStore & { close: () => Promise<void> }>> = {
  azure: async () => {
    const azurite = await startAzurite();
    return { ...blobStore(azurite), close: azurite.close };
  },
  s3: async () => {
    const s3 = await startS3();
    return { ...bucketStore(s3), close: s3.close };
  },
  file: async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gateway-demo-'));
    return { ...folderStore(dir), close: () => rm(dir, { recursive: true, force: true }) };
  },
};

/** Starts the store of this kind. */
export function startStore(kind: string): ReturnType<(typeof STORES)[string]> {
  const start = STORES[kind];
  if (!start) throw new Error(`--store must be one of ${Object.keys(STORES).join(', ')}.`);
  return start();
}

/** Azurite. */
export function blobStore(azurite: Pick<RunningAzurite, 'connectionString' | 'container' | 'containerUrl'>): DemoStore {
  const { connectionString, container, containerUrl } = azurite;
  const client = BlobServiceClient.fromConnectionString(connectionString).getContainerClient(container);
  return {
    env: {
      AZURE_STORAGE_CONNECTION_STRING: connectionString,
      AZURE_BLOB_CONTAINER: container,
      AZURE_BLOB_PUBLIC_BASE_URL: containerUrl,
    },
    linkOrigin: new URL(containerUrl).origin,
    async list() {
      const files: StoredFile[] = [];
      for await (const { name, properties } of client.listBlobsFlat()) {
        const { createdOn, contentType = '', contentLength: bytes = 0 } = properties;
        files.push({ name, url: `${containerUrl}/${name}`, createdMs: createdOn?.getTime() ?? 0, contentType, bytes });
      }
      return files;
    },
  };
}

/** A folder, whose files the gateway itself serves. */
function folderStore(dir: string): DemoStore {
  const origin = `http://127.0.0.1:${process.env.PORT ?? '8000'}`;

  async function describe(name: string): Promise<StoredFile | undefined> {
    const url = `${origin}/media/${name}`;
    const { ok, headers } = await fetch(url, { method: 'HEAD' });
    if (!ok) return undefined;
    const { size: bytes, mtimeMs: createdMs } = await stat(join(dir, name));
    return { name, url, createdMs, contentType: headers.get('content-type') ?? '', bytes };
  }

  return {
    env: { MEDIA_STORE: 'file', MEDIA_DIR: dir },
    linkOrigin: origin,
    async list() {
      const names = await Array.fromAsync(glob('{images,audio,videos,uploads}/**/*.*', { cwd: dir }));
      return (await Promise.all(names.map(describe))).filter((file) => file !== undefined);
    },
  };
}

/** The emulated bucket, which is private: links are presigned. */
export function bucketStore({ endpoint, bucket, accessKeyId, secretAccessKey }: Omit<RunningS3, 'close'>): DemoStore {
  const client = new AwsClient({ accessKeyId, secretAccessKey, service: 's3', retries: 0 });
  const urlOf = async (name: string) =>
    (await client.sign(`${endpoint}/${bucket}/${name}`, { method: 'GET', aws: { signQuery: true } })).url;

  async function describe(listed: string): Promise<StoredFile | undefined> {
    const [name = '', modified = '', bytes = '0'] = ['Key', 'LastModified', 'Size'].map(
      (tag) => new RegExp(`<${tag}>([^<]*)`).exec(listed)?.[1],
    );
    const head = await client.fetch(`${endpoint}/${bucket}/${name}`, { method: 'HEAD' });
    const contentType = head.headers.get('content-type') ?? '';
    if (!/^(image|audio|video)\//.test(contentType)) return undefined;
    return { name, url: await urlOf(name), createdMs: Date.parse(modified), contentType, bytes: Number(bytes) };
  }

  return {
    env: {
      MEDIA_STORE: 's3',
      S3_ENDPOINT: endpoint,
      S3_BUCKET: bucket,
      S3_ACCESS_KEY_ID: accessKeyId,
      S3_SECRET_ACCESS_KEY: secretAccessKey,
    },
    linkOrigin: new URL(endpoint).origin,
    async list() {
      const xml = await (await client.fetch(`${endpoint}/${bucket}?list-type=2`)).text();
      const files = await Promise.all(xml.split('<Contents>').slice(1).map(describe));
      return files.filter((file) => file !== undefined);
    },
  };
}
