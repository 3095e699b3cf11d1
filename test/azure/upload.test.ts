import { describe, expect, inject, test } from 'vitest';
import { createBlobClient } from '../../src/azure/blob.ts';
import { readerOf } from '../../src/azure/byte-reader.ts';
import { parseConnectionString } from '../../src/azure/connection-string.ts';
import type { BlobRuntime } from '../../src/azure/requests.ts';
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
  const fetch: BlobRuntime['fetch'] = (url, init) => {
    const comp = new URL(url).searchParams.get('comp');
    const kind = init.method === 'HEAD' ? 'head' : comp === 'block' ? 'block' : comp === 'blocklist' ? 'commit' : 'put';
    sent.push({ kind, bytes: init.body instanceof Uint8Array ? init.body.byteLength : undefined, atRead: read() });
    return (failures[kind]?.shift() ?? runtime.fetch)(url, init);
  };
  return {
    client: createBlobClient(parsed.account, inject('storage').container, { ...runtime, fetch }),
    sent,
    kinds: () => sent.map(({ kind }) => kind),
  };
}

const status =
  (code: number): Outcome =>
  async () =>
    new Response(null, { status: code, headers: { 'x-ms-error-code': 'Told' } });
const lostAnswer: Outcome = async (url, init) => {
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

describe('a known length', () => {
  test('is one PUT, which starts before the body has ended', async () => {
    const { body, counter } = stream(3 * MIB);
    const { client, sent, kinds } = setUp({}, () => counter.read);
    const name = newName();
    expect(await client.putStream(name, { body, lengthBytes: 3 * MIB, repeatable: true }, 'video/mp4')).toEqual({
      outcome: 'created',
      bytes: 3 * MIB,
    });
    expect(kinds()).toEqual(['put']);
    expect(sent[0]?.atRead).toBeLessThan(MIB);
    await expectStored(name, 3 * MIB);
  });

  test('a body that cannot be opened again survives a failing upload', async () => {
    const { client, kinds } = setUp({ put: [status(503), status(500)] });
    const { body } = stream(MIB + 17);
    const name = newName();
    expect(await client.putStream(name, { body, lengthBytes: MIB + 17, repeatable: false }, 'video/mp4')).toMatchObject({
      outcome: 'created',
    });
    expect(kinds()).toEqual(['put', 'put', 'put']);
    await expectStored(name, MIB + 17);
  });

  test('also when the connection breaks in the middle', async () => {
    const halfway: Outcome = async (_, init) => {
      const reader = (init.body as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      await reader.cancel();
      throw new TypeError('reset');
    };
    const { client } = setUp({ put: [halfway] });
    const { body } = stream(MIB);
    const name = newName();
    await client.putStream(name, { body, lengthBytes: MIB, repeatable: false }, 'video/mp4');
    await expectStored(name, MIB);
  });

  test('an upload of which only the answer was lost is not one that failed', async () => {
    const { client, kinds } = setUp({ put: [lostAnswer] });
    const name = newName();
    const stored = await client.putStream(name, { body: stream(MIB).body, lengthBytes: MIB, repeatable: true }, 'video/mp4');
    expect(stored.outcome).toBe('created');
    expect(kinds()).toEqual(['put', 'head']);
    await expectStored(name, MIB);
  });

  test('a storage that takes nothing is given up after a minute', async () => {
    const hanging: Outcome = (_, { signal }) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    const { client } = setUp({ put: [hanging] });
    const stored = client.putStream(newName(), { body: stream(MIB).body, lengthBytes: MIB, repeatable: true }, 'video/mp4');
    await expect(stored).rejects.toMatchObject({ failure: { kind: 'storage', retryable: true } });
  });

  test('one that can be opened again is left to the caller', async () => {
    const { client, kinds } = setUp({ put: [status(503)] });
    const { body, counter } = stream(MIB);
    const stored = client.putStream(newName(), { body, lengthBytes: MIB, repeatable: true }, 'video/mp4');
    await expect(stored).rejects.toMatchObject({ failure: { kind: 'storage', retryable: true } });
    expect(kinds()).toEqual(['put']);
    expect(counter.cancelled).toBe(true);
  });

  test('when the source breaks, nothing is stored, and its error is thrown', async () => {
    const { client } = setUp();
    const name = newName();
    const source = { body: stream(2 * MIB, MIB).body, lengthBytes: 2 * MIB, repeatable: true };
    await expect(client.putStream(name, source, 'video/mp4')).rejects.toThrow('the source broke');
    await expectMissing(name);
  });

  test('over 64 MiB it goes in blocks', async () => {
    // It takes seconds, which must not be minutes.
    const { client, kinds } = setUp({}, undefined, 1);
    const { body } = stream(65 * MIB);
    const name = newName();
    expect(await client.putStream(name, { body, lengthBytes: 65 * MIB, repeatable: true }, 'video/mp4')).toMatchObject({ bytes: 65 * MIB });
    expect(kinds()).toEqual([...Array(20).fill('block'), 'commit']);
    await expectStored(name, 65 * MIB);
  }, 30_000);
});

describe('an unknown length', () => {
  const unknown = (totalBytes: number, failAt?: number) => ({ ...stream(totalBytes, failAt), lengthBytes: undefined, repeatable: false });

  test('goes in blocks, the first of them long before the body has ended', async () => {
    const source = unknown(4 * MIB + 5);
    const { client, sent, kinds } = setUp({}, () => source.counter.read);
    const name = newName();
    expect(await client.putStream(name, source, 'video/mp4')).toEqual({ outcome: 'created', bytes: 4 * MIB + 5 });
    expect(kinds()).toEqual([...Array(8).fill('block'), 'commit']);
    expect(sent[0]?.atRead).toBeLessThan(MIB / 2);
    await expectStored(name, 4 * MIB + 5);
  });

  test.each([1, MIB / 4 - 1])('%i bytes are one PUT', async (totalBytes) => {
    const { client, kinds } = setUp();
    const name = newName();
    await client.putStream(name, unknown(totalBytes), 'video/mp4');
    expect(kinds()).toEqual(['put']);
    await expectStored(name, totalBytes);
  });

  test('exactly one block', async () => {
    const { client, kinds } = setUp();
    const name = newName();
    await client.putStream(name, unknown(MIB / 4), 'video/mp4');
    expect(kinds()).toEqual(['block', 'commit']);
    await expectStored(name, MIB / 4);
  });

  test('a block and the commit are tried again by themselves', async () => {
    const { client, kinds } = setUp({ block: [status(503), lostAnswer], commit: [status(500), lostAnswer] });
    const name = newName();
    expect(await client.putStream(name, unknown(2 * MIB), 'video/mp4')).toMatchObject({ outcome: 'created' });
    expect(kinds()).toEqual([...Array(7).fill('block'), 'commit', 'commit', 'commit']);
    await expectStored(name, 2 * MIB);
  });

  test('when the source breaks, nothing is committed, and its error is thrown', async () => {
    const { client, kinds } = setUp();
    const name = newName();
    await expect(client.putStream(name, unknown(3 * MIB, 2 * MIB), 'video/mp4')).rejects.toThrow('the source broke');
    expect(kinds()).not.toContain('commit');
    await expectMissing(name);
  });

  test('when the storage refuses, the source is let go', async () => {
    const { client } = setUp({ block: [status(403)] });
    const source = unknown(3 * MIB);
    await expect(client.putStream(newName(), source, 'video/mp4')).rejects.toMatchObject({
      failure: { kind: 'storage', retryable: false },
    });
    expect(source.counter.cancelled).toBe(true);
  });
});

describe('a name that is taken', () => {
  test.each([
    ['in one PUT', MIB],
    ['in blocks', undefined],
  ])('is left as it is: %s', async (_, lengthBytes) => {
    const name = newName();
    await setUp().client.putStream(name, { body: stream(MIB).body, lengthBytes, repeatable: true }, 'video/mp4');
    const other = new ReadableStream({
      start(controller) {
        controller.enqueue(new Uint8Array(MIB));
        controller.close();
      },
    });
    const second = await setUp().client.putStream(name, { body: readerOf(other), lengthBytes, repeatable: true }, 'video/mp4');
    expect(second.outcome).toBe('exists');
    await expectStored(name, MIB);
  });

  test('two uploads at the same moment both end well, with one whole copy', async () => {
    const name = newName();
    const upload = () =>
      setUp().client.putStream(name, { body: stream(3 * MIB).body, lengthBytes: undefined, repeatable: true }, 'video/mp4');
    const outcomes = await Promise.all([upload(), upload(), upload()]);
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['created', 'exists', 'exists']);
    await expectStored(name, 3 * MIB);
  });
});

describe('head', () => {
  test('tells the size and the type, or that there is none', async () => {
    const { client } = setUp();
    const name = newName();
    expect(await client.head(name)).toBeUndefined();
    await client.put(name, pattern(0, 1234), 'video/mp4');
    expect(await client.head(name)).toEqual({ bytes: 1234, contentType: 'video/mp4' });
  });
});
