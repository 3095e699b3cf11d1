import { describe, expect, inject, test } from 'vitest';
import { createBlobStore } from '../../src/azure/blob-store.ts';
import { parseConnectionString } from '../../src/azure/connection-string.ts';
import type { ObjectStore } from '../../src/media/object-store.ts';
import { createS3Store } from '../../src/s3/s3-store.ts';
import { readerOf } from '../../src/streams/byte-reader.ts';
import { S3_CLOCK_SPEED, testRuntime } from '../support.ts';

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Each kind of store, behind a fetch that can be made to fail. */
const STORES: Record<string, (wrap: (fetch: Fetch) => Fetch) => ObjectStore> = {
  'Azure Blob Storage': (wrap) => {
    const { connectionString, container, containerUrl } = inject('storage');
    const parsed = parseConnectionString(connectionString);
    if (!parsed.ok) throw new Error(parsed.problem);
    const runtime = testRuntime();
    return createBlobStore({ account: parsed.account, container, publicBaseUrl: containerUrl }, { ...runtime, fetch: wrap(runtime.fetch) });
  },
  S3: (wrap) => {
    const runtime = testRuntime({}, S3_CLOCK_SPEED);
    const settings = { ...inject('s3'), region: undefined, publicBaseUrl: undefined };
    return createS3Store(settings, { ...runtime, fetch: wrap(runtime.fetch) });
  },
};

const newName = () => `jobs/${crypto.randomUUID()}.json`;
const bytes = (text: string) => new TextEncoder().encode(text);
const JSON_ONCE = { contentType: 'application/json', repeatable: true };

/** More than two parts of any store. */
const LARGE_BYTES = 12 * 1024 * 1024;
/** Each page is different. */
const pattern = (size: number) => new Uint8Array(size).map((_, index) => (index >> 12) ^ index);
const digest = async (content = new Uint8Array(0)) => new Uint8Array(await crypto.subtle.digest('SHA-256', content));

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

describe.each(Object.entries(STORES))('%s', (_, create) => {
  const store = create((fetch) => fetch);
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
    expect(new URL(url).origin).toBe(store.linkOrigin);
    expect(await (await fetch(url)).json()).toEqual({ a: 1 });
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

  test.each(['create', 'replace', 'delete'] as const)('%s reports its true outcome when the first response is lost', async (operation) => {
    const lossy = create(loseResponse(operation === 'delete' ? 'DELETE' : 'PUT'));
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

  test('a stream of many parts is stored whole, though each kind of request fails at first', async () => {
    const failed = new Set<string>();
    const flaky = create((fetch) => async (url, init) => {
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

  test('a store that stays down fails as retryable, and is reported as down', async () => {
    const down = create(() => async () => new Response(null, { status: 503 }));
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
