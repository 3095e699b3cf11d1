import { expect, inject, test } from 'vitest';
import { createBlobStore } from '../../src/azure/blob-store.ts';
import { parseConnectionString, type StorageAccount } from '../../src/azure/connection-string.ts';
import type { StoreRuntime } from '../../src/storage/requests.ts';
import { testRuntime } from '../support.ts';

const BYTES = new TextEncoder().encode('what is stored');
type Fetch = StoreRuntime['fetch'];

function account(text: string = inject('storage').connectionString): StorageAccount {
  const parsed = parseConnectionString(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.account;
}

/** Azurite behind a fetch that can be made to fail; `urls` records the requests, `sleeps` the waits in between. */
function setUp({
  fetch: wrapped = (url, init) => fetch(url, init),
  now = Date.now,
  container = inject('storage').container,
  account: of = account(),
}: {
  fetch?: Fetch;
  now?: () => number;
  container?: string;
  account?: StorageAccount;
} = {}) {
  const urls: URL[] = [];
  const sleeps: number[] = [];
  const runtime = testRuntime({}, 1_000);
  const client = createBlobStore(
    { account: of, container, publicBaseUrl: 'https://media.example.com' },
    {
      ...runtime,
      now,
      // Time limits can be ended; the waits between attempts cannot.
      sleep: (ms, signal) => {
        if (!signal) sleeps.push(ms);
        return runtime.sleep(ms, signal);
      },
      random: () => 1,
      fetch: (url, init) => {
        urls.push(new URL(url));
        return wrapped(url, init);
      },
    },
  );
  return { client, urls, sleeps };
}

const newName = () => `images/2026/11/22/${crypto.randomUUID()}.png`;
const read = (name: string) => fetch(`${inject('storage').containerUrl}/${name}`);
const text = async (name: string) => new TextDecoder().decode(await (await read(name)).arrayBuffer());

/** Fakes the first responses, then passes requests through. */
function failing(...outcomes: ((url: string, init: RequestInit) => Promise<Response>)[]): Fetch {
  return (url, init) => (outcomes.shift() ?? fetch)(url, init);
}
const status =
  (code: number, headers: Record<string, string> = {}) =>
  async () =>
    new Response('<Error/>', { status: code, headers });
const lostResponse = async (url: string, init: RequestInit): Promise<Response> => {
  await (await fetch(url, init)).body?.cancel();
  throw new TypeError('connection lost');
};

test('a blob is stored with its type and is cacheable forever', async () => {
  const name = newName();
  await setUp().client.create(name, BYTES, { contentType: 'image/png', repeatable: false });
  const response = await read(name);
  expect(response.headers.get('content-type')).toBe('image/png');
  expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  expect(new Uint8Array(await response.arrayBuffer())).toEqual(BYTES);
});

test('a connection string with a SAS needs no key; the SAS is sent unchanged', async () => {
  const { sasConnectionString } = inject('storage');
  const { client, urls } = setUp({ account: account(sasConnectionString) });
  const name = newName();
  await client.create(name, BYTES, { contentType: 'image/png', repeatable: false });
  expect(await text(name)).toBe('what is stored');
  expect(sasConnectionString).toContain(urls[0]?.search.slice(1));
});

test('transient faults are retried, with longer and longer waits and a new signature each time', async () => {
  let clock = Date.now();
  const { client, urls, sleeps } = setUp({
    now: () => (clock += 2_000),
    fetch: failing(status(500), status(503), async () => Promise.reject(new TypeError('reset'))),
  });
  const name = newName();
  await client.create(name, BYTES, { contentType: 'image/png', repeatable: false });
  expect(await text(name)).toBe('what is stored');
  expect(sleeps).toEqual([250, 500, 1000]);
  expect(new Set(urls.map((url) => url.searchParams.get('sig'))).size).toBe(4);
});

test('Retry-After is honored', async () => {
  const { client, sleeps } = setUp({ fetch: failing(status(503, { 'retry-after': '7' })) });
  await client.create(newName(), BYTES, { contentType: 'image/png', repeatable: false });
  expect(sleeps).toEqual([7000]);
});

test('after minutes of retries, fails as retryable', async () => {
  let clock = Date.now();
  const now = () => (clock += 2_000);
  const { client } = setUp({ now, fetch: status(503, { 'x-ms-error-code': 'ServerBusy' }) });
  await expect(client.create(newName(), BYTES, { contentType: 'image/png', repeatable: false })).rejects.toMatchObject({
    failure: { kind: 'storage', problem: expect.stringContaining('503 (ServerBusy)'), retryable: true },
  });
});

test('a HEAD fails after a few attempts', async () => {
  let clock = Date.now();
  const { client, urls } = setUp({ now: () => (clock += 100), fetch: status(503) });
  await expect(client.head(newName())).rejects.toMatchObject({ failure: { kind: 'storage', retryable: true } });
  expect(urls.length).toBeLessThan(7);
});

test.each([200, 404])('a proxy that always returns %i is not a store', async (code) => {
  const { client } = setUp({ fetch: status(code, { 'content-type': 'text/html' }) });
  if (code === 200) await expect(client.assertUsable(newName())).rejects.toMatchObject({ failure: { kind: 'storage' } });
  await expect(client.head(newName()).catch(() => undefined)).resolves.toBeUndefined();
});

test('when only the response was lost, the blob counts as stored', async () => {
  const { client, urls } = setUp({ fetch: failing(lostResponse) });
  const name = newName();
  expect(await client.create(name, BYTES, { contentType: 'image/png', repeatable: false })).toMatchObject({ outcome: 'created' });
  // The retry, and a look at whose blob is there.
  expect(urls).toHaveLength(3);
  expect(await text(name)).toBe('what is stored');
});

test('an existing blob is never overwritten', async () => {
  const name = newName();
  await setUp().client.create(name, BYTES, { contentType: 'image/png', repeatable: false });
  expect(await setUp().client.create(name, new Uint8Array(3), { contentType: 'image/png', repeatable: false })).toMatchObject({
    outcome: 'exists',
  });
  expect(await text(name)).toBe('what is stored');
});

test('a missing container fails at once and names the variable', async () => {
  const { client, urls } = setUp({ container: 'no-such-container' });
  await expect(client.create(newName(), BYTES, { contentType: 'image/png', repeatable: false })).rejects.toMatchObject({
    failure: { retryable: false, problem: expect.stringContaining('AZURE_BLOB_CONTAINER') },
  });
  expect(urls).toHaveLength(1);
});

test('a wrong key fails at once and names the variable, without a signature', async () => {
  const { accountName, blobEndpoint } = account();
  const wrong = account(`AccountName=${accountName};AccountKey=${btoa('wrong')};BlobEndpoint=${blobEndpoint}`);
  const { client, urls } = setUp({ account: wrong });
  const error = await client.create(newName(), BYTES, { contentType: 'image/png', repeatable: false }).catch((thrown: Error) => thrown);
  expect(String(error)).toContain('AZURE_STORAGE_CONNECTION_STRING');
  expect(String(error)).not.toContain(urls[0]?.searchParams.get('sig'));
  expect(urls).toHaveLength(1);
});

test('uploads over https are signed for https only', async () => {
  const { client, urls } = setUp({ account: account(`AccountName=acme;AccountKey=${btoa('key')}`), fetch: status(403) });
  await client.create('a/b c.png', BYTES, { contentType: 'image/png', repeatable: false }).catch(() => {});
  expect(urls[0]?.origin).toBe('https://acme.blob.core.windows.net');
  expect(urls[0]?.pathname).toBe('/media/a/b%20c.png');
  expect(urls[0]?.searchParams.get('spr')).toBe('https');
});
