import { BlobServiceClient } from '@azure/storage-blob';
import { expect, inject, test } from 'vitest';
import { createBlobStore } from '../../src/azure/blob-store.ts';
import { parseConnectionString } from '../../src/azure/connection-string.ts';
import { testRuntime } from '../support.ts';

test("Microsoft's library reads what was written, with its type, its cache header and nothing more", async () => {
  const { connectionString, container } = inject('storage');
  const parsed = parseConnectionString(connectionString);
  if (!parsed.ok) throw new Error(parsed.problem);
  const name = `images/${crypto.randomUUID()}.webp`;
  const bytes = crypto.getRandomValues(new Uint8Array(50_000));
  await createBlobStore({ account: parsed.account, container, publicBaseUrl: 'https://media.example.com' }, testRuntime()).create(
    name,
    bytes,
    {
      contentType: 'image/webp',
      repeatable: false,
    },
  );

  const blob = BlobServiceClient.fromConnectionString(connectionString).getContainerClient(container).getBlockBlobClient(name);
  expect(new Uint8Array(await blob.downloadToBuffer())).toEqual(bytes);
  expect(await blob.getProperties()).toMatchObject({
    contentType: 'image/webp',
    cacheControl: 'public, max-age=31536000, immutable',
    contentLength: 50_000,
    blobType: 'BlockBlob',
    metadata: {},
  });
});
