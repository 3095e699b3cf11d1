import { describe, expect, inject, test } from 'vitest';
import { createS3Requests } from '../../src/s3/requests.ts';
import { createS3Store, type S3StoreSettings } from '../../src/s3/s3-store.ts';
import type { StoreRuntime } from '../../src/storage/requests.ts';
import { readerOf } from '../../src/streams/byte-reader.ts';
import { S3_CLOCK_SPEED, testRuntime } from '../support.ts';

type Fetch = StoreRuntime['fetch'];

const MIB = 1024 * 1024;
const PAID = { contentType: 'video/mp4', repeatable: false };
const newName = () => `videos/2026/11/25/${crypto.randomUUID()}.mp4`;
const bytes = (text: string) => new TextEncoder().encode(text);
const streamOfBytes = (size: number) => readerOf(new Blob([new Uint8Array(size)]).stream());

/** The emulator behind a fetch that records and can be made to fail. */
function setUp(overrides: Partial<S3StoreSettings> = {}, wrap: (fetch: Fetch) => Fetch = (fetch) => fetch) {
  const runtime = testRuntime({}, S3_CLOCK_SPEED);
  const sent: { method: string; url: URL; headers: Headers }[] = [];
  const inner = wrap(runtime.fetch);
  const fetch: Fetch = (url, init) => {
    sent.push({ method: init.method ?? '', url: new URL(url), headers: new Headers(init.headers) });
    return inner(url, init);
  };
  const store = createS3Store({ ...inject('s3'), region: undefined, publicBaseUrl: undefined, ...overrides }, { ...runtime, fetch });
  return { store, sent, now: runtime.now };
}

const xml =
  (status: number, body: string, headers: Record<string, string> = {}) =>
  async () =>
    new Response(body, { status, headers });
const error = (status: number, code: string, headers?: Record<string, string>) =>
  xml(status, `<?xml version="1.0"?><Error><Code>${code}</Code><Message>quotes what was signed</Message></Error>`, headers);

describe('links', () => {
  const inAnHour = () => new Date(testRuntime({}, S3_CLOCK_SPEED).now() + 3_600_000);

  test('a presigned link is readable without headers; a tampered or an unsigned one is not', async () => {
    const { store } = setUp();
    const name = newName();
    await store.create(name, bytes('private'), { ...PAID, contentType: 'text/plain' });
    const link = await store.link(name, inAnHour());
    const response = await fetch(link);
    expect(await response.text()).toBe('private');
    expect(response.headers.get('content-type')).toBe('text/plain');
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    for (const refused of [link.replace('X-Amz-Expires=3', 'X-Amz-Expires=4'), link.replace(name, newName()), link.split('?')[0] ?? ''])
      expect((await fetch(refused)).ok).toBe(false);
  });

  test('a presigned link lasts as long as asked, and at most seven days', async () => {
    const { store, now } = setUp();
    const secondsOf = async (ms: number) =>
      Number(new URL(await store.link(newName(), new Date(now() + ms))).searchParams.get('X-Amz-Expires'));
    expect(await secondsOf(3_600_000)).toBeGreaterThan(3_500);
    expect(await secondsOf(30 * 24 * 3_600_000)).toBe(7 * 24 * 3600);
  });

  test('with a public base URL, links are plain', async () => {
    const { store } = setUp({ publicBaseUrl: 'https://media.example.com/files' });
    expect(await store.link('a/b.png', undefined)).toBe('https://media.example.com/files/a/b.png');
    expect(store.nameOf('https://media.example.com/files/a/b.png')).toBe('a/b.png');
    expect(store.nameOf('https://media.example.com/other/b.png')).toBeUndefined();
    expect(store.linkOrigins()).toEqual(['https://media.example.com']);
  });
});

describe('errors name the variable, and are not retried', () => {
  test.each([
    ['an unknown key', { accessKeyId: 'unknown' }, 'S3_ACCESS_KEY_ID'],
    ['a wrong secret', { secretAccessKey: 'wrong' }, 'S3_SECRET_ACCESS_KEY'],
    ['a missing bucket', { bucket: 'missing' }, 'S3_'],
  ])('%s', async (_, overrides, variable) => {
    const { store, sent } = setUp(overrides);
    const problem = expect.stringContaining(variable);
    await expect(store.create(newName(), bytes('x'), PAID)).rejects.toMatchObject({
      failure: { kind: 'storage', retryable: false, problem },
    });
    await expect(store.assertUsable(newName())).rejects.toMatchObject({ failure: { kind: 'storage', problem } });
    expect(sent).toHaveLength(2);
  });

  test.each([
    ['NoSuchBucket', error(404, 'NoSuchBucket'), /"media" \(S3_BUCKET\) does not exist/],
    [
      'another region',
      error(301, 'PermanentRedirect', { 'x-amz-bucket-region': 'eu-central-1' }),
      /another region, eu-central-1; .* S3_REGION/,
    ],
    ['a malformed scope', error(400, 'AuthorizationHeaderMalformed'), /S3_REGION/],
    ['AccessDenied', error(403, 'AccessDenied'), /\(AccessDenied\): access was denied/],
    ['an expired token', error(400, 'ExpiredToken'), /have expired; .* S3_SESSION_TOKEN/],
    ['another token', error(400, 'InvalidToken'), /rejected; .* S3_SESSION_TOKEN/],
    ['a wrong clock', error(403, 'RequestTimeTooSkewed'), /clock is wrong/],
    ['a store without conditions', error(501, 'NotImplemented'), /conditional writes/],
    ['a wrong request', error(400, 'InvalidRequest'), /S3 returned 400 \(InvalidRequest\)$/],
    ['a web server', xml(404, '<html>'), /S3_ENDPOINT/],
    ['a body without end', xml(400, '<'.repeat(200_000)), /S3 returned 400/],
  ])('%s', async (_, answer, problem) => {
    const { store } = setUp({}, () => answer);
    const thrown = await store.assertUsable(newName()).catch((cause: unknown) => cause);
    expect(thrown).toMatchObject({ failure: { kind: 'storage', retryable: false, problem: expect.stringMatching(problem) } });
    expect(String(thrown)).not.toContain('quotes');
  });

  test('a store that ignores conditions is unusable, and nothing stays in it', async () => {
    const withoutConditions =
      (fetch: Fetch): Fetch =>
      async (url, init) => {
        if (init.method !== 'PUT') return fetch(url, init);
        return new Response(null, { headers: { etag: '"1"' } });
      };
    const { store, sent } = setUp({}, withoutConditions);
    await expect(store.assertUsable(newName())).rejects.toMatchObject({
      failure: { problem: expect.stringContaining('conditional writes') },
    });
    expect(sent.map(({ method }) => method)).toEqual(['PUT', 'DELETE']);
  });
});

describe('requests', () => {
  test.each([
    ['https://s3.eu-central-1.amazonaws.com', undefined, 'eu-central-1'],
    ['https://0123.r2.cloudflarestorage.com', undefined, 'auto'],
    ['http://minio:9000', undefined, 'us-east-1'],
    ['http://minio:9000', 'home', 'home'],
  ])('to %s with region %s are signed for %s', async (endpoint, region, signed) => {
    const { store, sent } = setUp({ endpoint, region }, () => error(403, 'AccessDenied'));
    await store.read(newName(), 1).catch(() => {});
    expect(sent[0]?.headers.get('authorization')).toContain(`/${signed}/s3/aws4_request`);
    expect(sent[0]?.url.href).toMatch(`${endpoint}/media/videos/`);
  });
});

describe('an upload in parts', () => {
  const kindOf = ({ method, url }: { method: string; url: URL }) => `${method} ${[...url.searchParams.keys()].join()}`.trim();

  test('a small stream is one request', async () => {
    const { store, sent } = setUp();
    await store.create(newName(), streamOfBytes(MIB), PAID);
    expect(sent.map(kindOf)).toEqual(['PUT']);
  });

  test('its parts are of one size, and its end may be one of them', async () => {
    const { store, sent } = setUp();
    const name = newName();
    expect(await store.create(name, streamOfBytes(10 * MIB), PAID)).toMatchObject({ outcome: 'created', etag: expect.any(String) });
    expect(sent.map(kindOf)).toEqual(['POST uploads', 'PUT partNumber,uploadId', 'PUT partNumber,uploadId', 'HEAD', 'POST uploadId']);
    expect(await store.head(name)).toMatchObject({ bytes: 10 * MIB, contentType: 'video/mp4' });
  });

  test('when the response to its completion is lost, it counts as stored', async () => {
    let isLost = false;
    const { store, sent } = setUp({}, (fetch) => async (url, init) => {
      const response = await fetch(url, init);
      if (isLost || init.method !== 'POST' || !new URL(url).searchParams.has('uploadId')) return response;
      isLost = true;
      await response.body?.cancel();
      throw new TypeError('connection lost');
    });
    const name = newName();
    expect(await store.create(name, streamOfBytes(6 * MIB), PAID)).toMatchObject({ outcome: 'created', bytes: 6 * MIB });
    expect(await store.head(name)).toMatchObject({ bytes: 6 * MIB });
    expect(sent.map(({ method }) => method)).not.toContain('DELETE');
  });

  test('an error after the status of a success is retried', async () => {
    const answers = [error(200, 'InternalError')];
    const { store } = setUp({}, (fetch) => (url, init) => {
      const isCompletion = init.method === 'POST' && new URL(url).searchParams.has('uploadId');
      return (isCompletion ? (answers.shift() ?? fetch) : fetch)(url, init);
    });
    const name = newName();
    await store.create(name, streamOfBytes(6 * MIB), PAID);
    expect(await store.head(name)).toMatchObject({ bytes: 6 * MIB });
  });

  const failCompletion =
    (answer: () => Promise<Response>) =>
    (fetch: Fetch): Fetch =>
    (url, init) =>
      init.method === 'POST' && new URL(url).searchParams.has('uploadId') ? answer() : fetch(url, init);

  test('a refusal after the status of a success is named, not retried, and aborts the upload', async () => {
    const { store, sent } = setUp({}, failCompletion(error(200, 'AccessDenied')));
    const problem = expect.stringMatching(/S3 returned 200 \(AccessDenied\): access was denied/);
    await expect(store.create(newName(), streamOfBytes(6 * MIB), PAID)).rejects.toMatchObject({ failure: { retryable: false, problem } });
    expect(sent.map(kindOf).slice(-2)).toEqual(['POST uploadId', 'DELETE uploadId']);
  });

  test('so is an object that was created meanwhile', async () => {
    const { store, sent } = setUp({}, failCompletion(error(200, 'PreconditionFailed')));
    expect(await store.create(newName(), streamOfBytes(6 * MIB), PAID)).toMatchObject({ outcome: 'exists' });
    expect(sent.map(kindOf).slice(-2)).toEqual(['POST uploadId', 'DELETE uploadId']);
  });

  test.each([
    ['the source fails', (source: ReadableStreamDefaultController) => source.error(new Error('the source broke')), 200],
    ['a part is refused', (source: ReadableStreamDefaultController) => source.close(), 403],
  ])('is aborted when %s, so that its parts are not kept', async (_, end, status) => {
    const { store, sent } = setUp({}, (fetch) => (url, init) => {
      const isPart = new URL(url).searchParams.has('partNumber');
      return isPart && status !== 200 ? error(status, 'AccessDenied')() : fetch(url, init);
    });
    let isSent = false;
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (isSent) return end(controller);
        isSent = true;
        controller.enqueue(new Uint8Array(6 * MIB));
      },
    });
    const name = newName();
    await expect(store.create(name, readerOf(stream), PAID)).rejects.toThrow();
    const { method, url } = sent.at(-1) ?? {};
    expect(method).toBe('DELETE');
    const query = `partNumber=2&${url?.searchParams}`;
    expect(
      await createS3Requests({ ...inject('s3'), region: undefined }, testRuntime({}, S3_CLOCK_SPEED)).send(name, { method: 'PUT', query }),
    ).toMatchObject({
      code: 'NoSuchUpload',
    });
  });
});
