import { describe, expect, inject, test } from 'vitest';
import { createBlobStore } from '../../src/azure/blob-store.ts';
import { parseConnectionString } from '../../src/azure/connection-string.ts';
import type { ObjectStore } from '../../src/media/object-store.ts';
import type { StoreRuntime } from '../../src/storage/requests.ts';
import { type ByteReader, readerOf } from '../../src/streams/byte-reader.ts';
import { testRuntime } from '../support.ts';

const MIB = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

type Sent = { kind: 'put' | 'block' | 'commit' | 'head'; bytes: number | undefined; atRead: number };
type Outcome = (url: string, init: RequestInit) => Promise<Response>;

/** Azurite behind a fetch that records and can be made to fail. */
function setUp(failures: Partial<Record<Sent['kind'], Outcome[]>> = {}, read: () => number = () => 0, speed?: number) {
  const parsed = parseConnectionString(inject('storage').connectionString);
  if (!parsed.ok) throw new Error(parsed.problem);
  const runtime = testRuntime({}, speed);
  const sent: Sent[] = [];
  const fetch: StoreRuntime['fetch'] = (url, init) => {
    const comp = new URL(url).searchParams.get('comp');
    const kind = init.method === 'HEAD' ? 'head' : comp === 'block' ? 'block' : comp === 'blocklist' ? 'commit' : 'put';
    sent.push({ kind, bytes: init.body instanceof Uint8Array ? init.body.byteLength : undefined, atRead: read() });
    return (failures[kind]?.shift() ?? runtime.fetch)(url, init);
  };
  return {
    client: createBlobStore(
      { account: parsed.account, container: inject('storage').container, publicBaseUrl: inject('storage').containerUrl },
      { ...runtime, fetch },
    ),
    sent,
    now: runtime.now,
    kinds: () => sent.map(({ kind }) => kind),
  };
}

const status =
  (code: number, body: string | null = null): Outcome =>
  async () =>
    new Response(body, { status: code, headers: { 'x-ms-error-code': 'Told' } });
const lostResponse: Outcome = async (url, init) => {
  await (await testRuntime().fetch(url, init)).body?.cancel();
  throw new TypeError('connection lost');
};

/** Bytes that are all different from block to block, chunk by chunk; counts what has been read. */
function stream(totalBytes: number, failAt = Number.POSITIVE_INFINITY) {
  const counter = { read: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (counter.read >= failAt) return controller.error(new Error('the source broke'));
        const size = Math.min(CHUNK_BYTES, totalBytes - counter.read);
        if (size === 0) return controller.close();
        controller.enqueue(pattern(counter.read, size));
        counter.read += size;
      },
      cancel: () => {
        counter.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { body: readerOf(body), counter };
}

function pattern(offset: number, size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(size).map((_, index) => ((offset + index) * 31 + ((offset + index) >> 12)) & 0xff);
}

type Source = { body: ByteReader; repeatable: boolean };
const put = (client: ObjectStore, name: string, { body, repeatable }: Source) =>
  client.create(name, body, { contentType: 'video/mp4', repeatable });

const newName = () => `videos/${crypto.randomUUID()}.mp4`;

async function digestOf(bytes: ArrayBuffer | Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)).toHex();
}

async function expectStored(name: string, totalBytes: number): Promise<void> {
  const response = await fetch(`${inject('storage').containerUrl}/${name}`);
  expect(response.headers.get('content-type')).toBe('video/mp4');
  expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  expect(await digestOf(await response.arrayBuffer())).toBe(await digestOf(pattern(0, totalBytes)));
}

async function expectMissing(name: string): Promise<void> {
  const response = await fetch(`${inject('storage').containerUrl}/${name}`);
  await response.body?.cancel();
  expect(response.status).toBe(404);
}

describe('a stream', () => {
  const unknown = (totalBytes: number, failAt?: number) => ({ ...stream(totalBytes, failAt), repeatable: false });

  test('is uploaded in blocks, the first long before the body ends', async () => {
    const source = unknown(4 * MIB + 5);
    const { client, sent, kinds } = setUp({}, () => source.counter.read);
    const name = newName();
    expect(await put(client, name, source)).toMatchObject({ outcome: 'created', bytes: 4 * MIB + 5 });
    expect(kinds()).toEqual([...Array(8).fill('block'), 'commit']);
    expect(sent[0]?.atRead).toBeLessThan(MIB / 2);
    await expectStored(name, 4 * MIB + 5);
  });

  test.each([1, MIB / 4 - 1])('%i bytes are one PUT', async (totalBytes) => {
    const { client, kinds } = setUp();
    const name = newName();
    await put(client, name, unknown(totalBytes));
    expect(kinds()).toEqual(['put']);
    await expectStored(name, totalBytes);
  });

  test('exactly one block', async () => {
    const { client, kinds } = setUp();
    const name = newName();
    await put(client, name, unknown(MIB / 4));
    expect(kinds()).toEqual(['block', 'commit']);
    await expectStored(name, MIB / 4);
  });

  test('a block and the commit are retried individually', async () => {
    const { client, kinds } = setUp({ block: [status(503), lostResponse], commit: [status(500), lostResponse] });
    const name = newName();
    expect(await put(client, name, unknown(2 * MIB))).toMatchObject({ outcome: 'created' });
    expect(kinds()).toEqual([...Array(7).fill('block'), 'commit', 'commit', 'commit', 'head']);
    await expectStored(name, 2 * MIB);
  });

  test('when the source fails, nothing is committed and its error is rethrown', async () => {
    const { client, kinds } = setUp();
    const name = newName();
    await expect(put(client, name, unknown(3 * MIB, 2 * MIB))).rejects.toThrow('the source broke');
    expect(kinds()).not.toContain('commit');
    await expectMissing(name);
  });

  test('when storage rejects a block, the source is cancelled', async () => {
    const { client } = setUp({ block: [status(403)] });
    const source = unknown(3 * MIB);
    await expect(put(client, newName(), source)).rejects.toMatchObject({
      failure: { kind: 'storage', retryable: false },
    });
    expect(source.counter.cancelled).toBe(true);
  });
});

describe('content that cannot be fetched again', () => {
  const paid = (totalBytes: number) => ({ body: stream(totalBytes).body, repeatable: false });

  test.each([
    ['refuses for a while', status(503)],
    ['breaks connections', async () => Promise.reject(new TypeError('reset'))],
    ['is behind a proxy that responds with 200', status(200, '<html>Sign in</html>')],
    ['is behind a proxy that responds with 201', status(201, '<html>Sign in</html>')],
  ] satisfies [string, Outcome][])('survives a store that %s', async (_, failure) => {
    const { client, kinds } = setUp({ put: Array(9).fill(failure) });
    const name = newName();
    await client.create(name, pattern(0, 1234), { contentType: 'video/mp4', repeatable: false });
    expect(kinds()).toEqual(Array(10).fill('put'));
    await expectStored(name, 1234);
  });

  test('is retried for minutes, then fails', async () => {
    const { client, sent, now } = setUp({ put: Array(1000).fill(status(503)) }, undefined, 2_000);
    const startMs = now();
    await expect(put(client, newName(), paid(1234))).rejects.toMatchObject({
      failure: { kind: 'storage', retryable: true },
    });
    expect(now() - startMs).toBeGreaterThan(240_000);
    expect(sent.length).toBeLessThan(300);
  });

  test('repeatable content fails sooner', async () => {
    const { client, sent } = setUp({ put: Array(1000).fill(status(503)) });
    const source = { body: stream(1234).body, repeatable: true };
    await expect(put(client, newName(), source)).rejects.toMatchObject({ failure: { kind: 'storage', retryable: true } });
    expect(sent.length).toBeLessThan(7);
  });

  test('a hundred concurrent uploads cause no retry storm and succeed once the store recovers', async () => {
    const { now } = testRuntime();
    const backAtMs = now() + 60_000;
    const down: Outcome = (url, init) => (now() < backAtMs ? status(503)(url, init) : fetch(url, init));
    const { client, sent } = setUp({ put: Array(1000).fill(down) });
    const names = Array.from({ length: 100 }, newName);
    await Promise.all(names.map((name) => client.create(name, pattern(0, 10), { contentType: 'video/mp4', repeatable: false })));
    // One failure and one success each, and a probe a second in between.
    expect(sent.length).toBeLessThan(200 + 70);
  });
});

describe('an existing name', () => {
  test.each([
    ['in one PUT', MIB / 8],
    ['in blocks', MIB],
  ])('is left unchanged: %s', async (_, totalBytes) => {
    const name = newName();
    await put(setUp().client, name, { body: stream(totalBytes).body, repeatable: true });
    const other = new ReadableStream({
      start(controller) {
        controller.enqueue(new Uint8Array(totalBytes));
        controller.close();
      },
    });
    const second = await put(setUp().client, name, { body: readerOf(other), repeatable: true });
    expect(second.outcome).toBe('exists');
    await expectStored(name, totalBytes);
  });

  test('concurrent uploads all succeed, with one complete copy', async () => {
    const name = newName();
    const upload = () => put(setUp().client, name, { body: stream(3 * MIB).body, repeatable: true });
    const outcomes = await Promise.all([upload(), upload(), upload()]);
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['created', 'exists', 'exists']);
    await expectStored(name, 3 * MIB);
  });
});

describe('head', () => {
  test('returns size and type, or undefined', async () => {
    const { client } = setUp();
    const name = newName();
    expect(await client.head(name)).toBeUndefined();
    await client.create(name, pattern(0, 1234), { contentType: 'video/mp4', repeatable: false });
    expect(await client.head(name)).toMatchObject({ bytes: 1234, contentType: 'video/mp4' });
  });
});
