import { describe, expect, inject, test } from 'vitest';
import { createBlobStore } from '../../src/azure/blob-store.ts';
import { parseConnectionString } from '../../src/azure/connection-string.ts';
import type { ObjectStore, ServedStore } from '../../src/media/object-store.ts';
import { openBucket } from '../../src/runtime/workers-bucket.ts';
import { createS3Store } from '../../src/s3/s3-store.ts';
import { readerOf } from '../../src/streams/byte-reader.ts';
import { createSleepClock, testBucket, testRuntime } from '../support.ts';

/** Only faults need a fast clock: what it has signed is soon invalid, and large bodies soon too slow. */
const newRuntime = (hasFaults: boolean) => (hasFaults ? { ...testRuntime(), ...createSleepClock() } : testRuntime({}, 1));

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

type Operation = 'create' | 'replace' | 'delete';
type Wrap = (fetch: Fetch) => Fetch;

/** `isRemote`: it is behind a fetch that can be made to fail. */
type Kind = Readonly<{
  open: (wrap?: Wrap) => ObjectStore;
  isRemote: boolean;
  /** Whose first answer to an operation is lost; by default, that of a remote one's request. */
  openLossy?: (operation: Operation) => ObjectStore;
  /** Whose first write of an object is refused as one too many, while something else happens. */
  openBusy?: (meanwhile: () => Promise<unknown>) => ObjectStore;
}>;

const bucket = await testBucket();

const openAzure = (wrap?: Wrap): ObjectStore => {
  const { connectionString, container, containerUrl } = inject('storage');
  const parsed = parseConnectionString(connectionString);
  if (!parsed.ok) throw new Error(parsed.problem);
  const runtime = newRuntime(wrap !== undefined);
  return createBlobStore(
    { account: parsed.account, container, publicBaseUrl: containerUrl },
    { ...runtime, fetch: wrap?.(runtime.fetch) ?? runtime.fetch },
  );
};

const openS3 = (wrap?: Wrap): ObjectStore => {
  const runtime = newRuntime(wrap !== undefined);
  const settings = { ...inject('s3'), region: undefined, publicBaseUrl: undefined };
  return createS3Store(settings, { ...runtime, fetch: wrap?.(runtime.fetch) ?? runtime.fetch });
};

/** `operation`: the first answer to it is lost. */
const openLossyR2 = (operation: Operation): ObjectStore => {
  const lossy = bucket && loseFirst(bucket, operation === 'delete' ? 'delete' : 'put');
  return openR2(lossy);
};

const openR2 = (binding = bucket): ObjectStore => {
  if (!binding) throw new Error('There is no bucket.');
  return openBucket(binding, testRuntime(), { publicBaseUrls: () => ['http://127.0.0.1:8000/media'], remedy: undefined });
};

/** R2 takes one write of an object in a second. */
const openBusyR2 = (meanwhile: () => Promise<unknown>): ObjectStore => {
  let isBusy = true;
  const refuseOnce = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(inner, name) {
        const value: unknown = Reflect.get(inner, name);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          if ((name === 'put' || name === 'complete') && isBusy) {
            isBusy = false;
            await meanwhile();
            throw new Error('put: Reduce your concurrent request rate for the same object. (10058)');
          }
          const result: unknown = await value.apply(inner, args);
          return name === 'createMultipartUpload' ? refuseOnce(result as object) : result;
        };
      },
    });
  return openR2(bucket && refuseOnce(bucket));
};

/** The same of a store behind HTTP. */
const refuseOnce =
  (meanwhile: () => Promise<unknown>): Wrap =>
  (fetch) => {
    let isBusy = true;
    return async (url, init) => {
      if (!isBusy || init.method !== 'PUT') return fetch(url, init);
      isBusy = false;
      await meanwhile();
      return new Response(null, { status: 503 });
    };
  };

/** Throws after what it has done. */
function loseFirst<T extends object>(bucket: T, method: string): T {
  let isLost = false;
  return new Proxy(bucket, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        const result: unknown = await value.apply(target, args);
        if (name !== method || isLost) return result;
        isLost = true;
        throw new Error('put: Network connection lost.');
      };
    },
  });
}

const { openFolder } = testRuntime();
const folder = openFolder && (await import('./folder.ts')).newFolder();

/** Each kind of store that this runtime has. */
const STORES: Record<string, Kind> = {
  'Azure Blob Storage': { open: openAzure, isRemote: true },
  S3: { open: openS3, isRemote: true },
  ...(bucket && { 'a bucket of R2': { open: () => openR2(), openLossy: openLossyR2, openBusy: openBusyR2, isRemote: false } }),
  ...(openFolder && folder && { 'a folder': { open: () => openFolder(folder, 'http://127.0.0.1:8000/media').store, isRemote: false } }),
};

const newName = () => `jobs/${crypto.randomUUID()}.json`;
const bytes = (text: string) => new TextEncoder().encode(text);
const JSON_ONCE = { contentType: 'application/json', repeatable: true };

/** More than two parts of any store. */
const LARGE_BYTES = 12 * 1024 * 1024;
/** Each page is different. */
const pattern = (size: number) => new Uint8Array(size).map((_, index) => (index >> 12) ^ index);
const digest = async (content = new Uint8Array(0)) => new Uint8Array(await crypto.subtle.digest('SHA-256', content)).toHex();

/** The request is received, and its response lost. */
const loseResponse =
  (method: string) =>
  (fetch: Fetch): Fetch => {
    let isLost = false;
    return async (url, init) => {
      const response = await fetch(url, init);
      if (init.method !== method || isLost) return response;
      isLost = true;
      await response.body?.cancel();
      throw new TypeError('connection lost');
    };
  };

/** As whoever has the link reads it. */
async function readLink(store: ObjectStore, url: string): Promise<unknown> {
  if (!('stream' in store)) return (await fetch(url)).json();
  const { stream } = store as ServedStore;
  const name = store.nameOf(url) ?? '';
  const { bytes = 0, etag = '' } = (await store.head(name)) ?? {};
  return new Response(await stream(name, etag, 0, bytes)).json();
}

describe.each(Object.entries(STORES))('%s', (_, { open, isRemote, openLossy, openBusy }) => {
  const store = open();
  const textOf = async (name: string) => {
    const found = await store.read(name, 1_000);
    return found && new TextDecoder().decode(found.body);
  };

  test('a created object can be read, inspected and linked', async () => {
    const name = newName();
    expect(await store.create(name, bytes('{"a":1}'), JSON_ONCE)).toEqual({ outcome: 'created', bytes: 7, etag: expect.any(String) });
    const read = await store.read(name, 1_000);
    expect(read).toMatchObject({ bytes: 7, contentType: 'application/json', etag: expect.stringMatching(/./) });
    expect(await store.head(name)).toEqual({ bytes: 7, contentType: 'application/json', etag: read?.etag });
    const url = await store.link(name, new Date(testRuntime().now() + 3_600_000));
    expect(store.nameOf(url)).toBe(name);
    expect(store.linkOrigins()).toEqual([new URL(url).origin]);
    expect(await readLink(store, url)).toEqual({ a: 1 });
  });

  test.each(['../x.png', '..%2fx.png', '%2e%2e/x.png', 'a//b.png', '/x.png', 'a\\..\\b.png', 'a%00.png', ''])(
    'no link is that of %j',
    async (path) => {
      const base = (await store.link('x', undefined)).split('?')[0]?.slice(0, -1);
      expect(store.nameOf(`${base}x`)).toBe('x');
      expect(store.nameOf(`${base}${path}`)).toBeUndefined();
    },
  );

  test.runIf('stream' in store)('an object that has changed since, or is gone, is not streamed', async () => {
    const { stream } = store as ServedStore;
    const name = newName();
    const { etag = '' } = await store.create(name, bytes('0'), JSON_ONCE);
    const textOfVersion = async () => new Response(await stream(name, etag, 0, 1)).text();
    expect(await textOfVersion()).toBe('0');
    await store.replace(name, bytes('1'), 'application/json', etag);
    await expect(textOfVersion()).rejects.toThrow(/changed/);
    await store.delete(name);
    await expect(textOfVersion()).rejects.toThrow(/changed/);
  });

  test('a stream is stored like bytes', async () => {
    const name = newName();
    await store.create(name, readerOf(new Blob(['streamed']).stream()), JSON_ONCE);
    expect(await textOf(name)).toBe('streamed');
  });

  test('an existing object is left unchanged; of concurrent creates, one wins', async () => {
    const name = newName();
    const outcomes = await Promise.all(['a', 'b', 'c', 'd'].map((text) => store.create(name, bytes(text), JSON_ONCE)));
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['created', 'exists', 'exists', 'exists']);
  });

  test('an unchanged object is replaced; of concurrent replaces, one wins', async () => {
    const name = newName();
    await store.create(name, bytes('0'), JSON_ONCE);
    const { etag = '' } = (await store.head(name)) ?? {};
    const outcomes = await Promise.all(['a', 'b', 'c', 'd'].map((text) => store.replace(name, bytes(text), 'application/json', etag)));
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['changed', 'changed', 'changed', 'replaced']);
    expect(await store.replace(name, bytes('x'), 'application/json', etag)).toEqual({ outcome: 'changed' });
    const { etag: next = '' } = (await store.head(name)) ?? {};
    expect(await store.replace(name, bytes('y'), 'application/json', next)).toEqual({ outcome: 'replaced', etag: expect.any(String) });
    expect(await textOf(name)).toBe('y');
  });

  test('an object is deleted only if it is that version', async () => {
    const name = newName();
    const { etag = '' } = await store.create(name, bytes('0'), JSON_ONCE);
    await store.replace(name, bytes('1'), 'application/json', etag);
    await store.delete(name, etag);
    expect(await textOf(name)).toBe('1');
    await store.delete(name, (await store.head(name))?.etag);
    expect(await store.head(name)).toBeUndefined();
  });

  test('nothing is left of a stream that fails, whose error is rethrown', async () => {
    const name = newName();
    const failure = new Error('cut off');
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => (pulled++ < 100 ? controller.enqueue(new Uint8Array(100_000)) : controller.error(failure)),
    });
    await expect(store.create(name, readerOf(body), JSON_ONCE)).rejects.toBe(failure);
    expect(await store.head(name)).toBeUndefined();
  });

  test('a large stream is stored whole', async () => {
    const name = newName();
    const content = new Uint8Array(11_000_001);
    for (let at = 0; at < content.byteLength; at += 65_536) crypto.getRandomValues(content.subarray(at, at + 65_536));
    const body = new Blob([content]).stream();
    const size = content.byteLength;
    expect(await store.create(name, readerOf(body), JSON_ONCE)).toMatchObject({ outcome: 'created', bytes: size });
    const { body: stored = bytes('') } = (await store.read(name, size)) ?? {};
    expect(await digest(stored)).toBe(await digest(content));
  });

  test('a missing object is undefined, changed, or deleted', async () => {
    const name = newName();
    expect(await store.read(name, 10)).toBeUndefined();
    expect(await store.head(name)).toBeUndefined();
    expect(await store.replace(name, bytes('x'), 'application/json', '"0x1"')).toEqual({ outcome: 'changed' });
    await store.delete(name);
  });

  test('a deleted object no longer exists', async () => {
    const name = newName();
    await store.create(name, bytes('x'), JSON_ONCE);
    await store.delete(name);
    expect(await store.head(name)).toBeUndefined();
  });

  test('an object over maxBytes is not read', async () => {
    const name = newName();
    await store.create(name, bytes('x'.repeat(100)), JSON_ONCE);
    await expect(store.read(name, 99)).rejects.toMatchObject({ failure: { kind: 'storage' } });
  });

  const operations: Operation[] = ['create', 'replace', 'delete'];
  test.runIf(isRemote || openLossy).each(operations)('%s reports its true outcome when the first response is lost', async (operation) => {
    const lossy = openLossy?.(operation) ?? open(loseResponse(operation === 'delete' ? 'DELETE' : 'PUT'));
    const name = newName();
    if (operation === 'create') {
      expect(await lossy.create(name, bytes('new'), JSON_ONCE)).toMatchObject({ outcome: 'created' });
      return expect(await textOf(name)).toBe('new');
    }
    await store.create(name, bytes('old'), JSON_ONCE);
    const { etag = '' } = (await store.head(name)) ?? {};
    if (operation === 'replace') {
      expect(await lossy.replace(name, bytes('new'), 'application/json', etag)).toEqual({ outcome: 'replaced', etag: expect.any(String) });
      return expect(await textOf(name)).toBe('new');
    }
    await lossy.delete(name);
    expect(await store.head(name)).toBeUndefined();
  });

  test.runIf(isRemote)('what cannot be had again is stored, though the store is down when asked whose it is', async () => {
    let failures = 8;
    const lossy = open((fetch) => {
      const losing = loseResponse('PUT')(fetch);
      return async (url, init) => (init.method === 'HEAD' && failures-- > 0 ? new Response(null, { status: 503 }) : losing(url, init));
    });
    const name = newName();
    expect(await lossy.create(name, bytes('new'), { ...JSON_ONCE, repeatable: false })).toMatchObject({ outcome: 'created' });
  });

  // Emulators let the last request of a stream replace what was created after its first attempt.
  const sizes = openBusy ? [10, LARGE_BYTES] : [10];
  test.runIf(isRemote || openBusy).each(sizes)(
    'what another has created since a first attempt failed is not its own: %i bytes',
    async (size) => {
      const name = newName();
      const meanwhile = () => store.create(name, bytes('of another'), JSON_ONCE);
      const busy = openBusy?.(meanwhile) ?? open(refuseOnce(meanwhile));
      const body = size === LARGE_BYTES ? readerOf(new Blob([pattern(size)]).stream()) : new Uint8Array(size);
      expect(await busy.create(name, body, JSON_ONCE)).toMatchObject({ outcome: 'exists' });
      expect(await textOf(name)).toBe('of another');
    },
  );

  test.runIf(isRemote)('a stream of many parts is stored whole, though each kind of request fails at first', async () => {
    const failed = new Set<string>();
    const flaky = open((fetch) => async (url, init) => {
      // Of the parameters, only the names, without those of signatures.
      const kind = `${init.method} ${[...new URL(url).searchParams.keys()].filter((key) => key.length > 3).join()}`;
      if (failed.has(kind)) return fetch(url, init);
      failed.add(kind);
      return new Response(null, { status: 503 });
    });
    const name = newName();
    const content = pattern(LARGE_BYTES);
    const stored = await flaky.create(name, readerOf(new Blob([content]).stream()), { ...JSON_ONCE, contentType: 'video/mp4' });
    expect(stored).toMatchObject({ outcome: 'created', bytes: LARGE_BYTES });
    expect(failed.size).toBeGreaterThan(1);
    const read = await store.read(name, LARGE_BYTES);
    expect(read).toMatchObject({ bytes: LARGE_BYTES, contentType: 'video/mp4' });
    expect(await digest(read?.body)).toEqual(await digest(content));
  });

  test('a stream of many parts does not replace an object', async () => {
    const name = newName();
    await store.create(name, bytes('first'), JSON_ONCE);
    const again = readerOf(new Blob([pattern(LARGE_BYTES)]).stream());
    expect(await store.create(name, again, JSON_ONCE)).toMatchObject({ outcome: 'exists', bytes: LARGE_BYTES });
    expect(await textOf(name)).toBe('first');
  });

  test('when a stream fails, nothing is stored and its error is rethrown', async () => {
    const name = newName();
    const chunks = [pattern(LARGE_BYTES / 2), pattern(LARGE_BYTES / 4)];
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        const chunk = chunks.shift();
        if (chunk) controller.enqueue(chunk);
        else controller.error(new Error('the source broke'));
      },
    });
    await expect(store.create(name, readerOf(stream), JSON_ONCE)).rejects.toThrow('the source broke');
    expect(await store.head(name)).toBeUndefined();
  });

  test('an object that has changed is not deleted', async () => {
    const name = newName();
    await store.create(name, bytes('old'), JSON_ONCE);
    const { etag = '' } = (await store.head(name)) ?? {};
    await store.replace(name, bytes('new'), 'application/json', etag);
    await store.delete(name, etag);
    expect(await textOf(name)).toBe('new');
  });

  test.runIf(isRemote)('a store that stays down fails as retryable, and is reported as down', async () => {
    const down = open(() => async () => new Response(null, { status: 503 }));
    for (let call = 0; call < 2; call++)
      await expect(down.head(newName())).rejects.toMatchObject({ failure: { kind: 'storage', retryable: true } });
    expect(down.isDown()).toBe(true);
    await expect(down.assertUsable(newName())).rejects.toMatchObject({ failure: { kind: 'storage', retryable: true } });
  });

  test('reports that it is usable', async () => {
    await expect(store.assertUsable(newName())).resolves.toBeUndefined();
    expect(store.isDown()).toBe(false);
  });
});
