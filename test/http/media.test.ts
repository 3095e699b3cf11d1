import { beforeAll, describe, expect, test } from 'vitest';
import { CLIENT_HEADERS, CLOCK_SPEED, createSleepClock, createTestApp, servedEnvironment, testRuntime } from '../support.ts';

/** The app, whose media it serves itself, with one file of known bytes. */
async function start(overrides = {}) {
  const gateway = createTestApp(await servedEnvironment(overrides), testRuntime({}, 10));
  const { structuredContent } = await gateway.call('generate_image', { prompt: 'A lighthouse' });
  return { ...(await readable(gateway, structuredContent.images[0].url)), output: structuredContent };
}

/** The same with a video, which is stored in several parts. */
async function startVideo() {
  const gateway = createTestApp(await servedEnvironment(), testRuntime(createSleepClock(CLOCK_SPEED)));
  await gateway.setVideos({ jobSeconds: 30, speed: CLOCK_SPEED, contentBytes: 11_000_001 });
  const { structuredContent } = await gateway.call('generate_video', { prompt: 'A lighthouse', wait_seconds: 600 });
  return readable(gateway, structuredContent.video.url);
}

async function readable(gateway: ReturnType<typeof createTestApp>, url: string) {
  const read = (headers: Record<string, string> = {}, method = 'GET', target = url) =>
    Promise.resolve(gateway.app.request(target, { headers, method }));
  const content = new Uint8Array(await (await read()).arrayBuffer());
  return { ...gateway, url, read, content };
}

let served: Awaited<ReturnType<typeof start>>;
let film: Awaited<ReturnType<typeof startVideo>>;
beforeAll(async () => {
  [served, film] = await Promise.all([start(), startVideo()]);
});

/** Compared without the messages about differences, which take seconds for millions of bytes. */
const isSame = (a: Uint8Array, b: Uint8Array) => a.byteLength === b.byteLength && a.every((byte, index) => byte === b[index]);

test('an image is at its URL, for anyone, as what it is and nothing else', async () => {
  const { url, read, content, output } = served;
  expect(url).toMatch(/^http:\/\/localhost\/media\/images\/\d{4}\/\d\d\/\d\d\/[0-9a-f-]{36}\.png$/);
  const response = await read({ origin: 'https://any.example' });
  expect(response.status).toBe(200);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'image/png',
    'content-length': String(output.images[0].bytes),
    'accept-ranges': 'bytes',
    'cache-control': 'public, max-age=31536000, immutable',
    'access-control-allow-origin': '*',
    'cross-origin-resource-policy': 'cross-origin',
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
    etag: expect.stringMatching(/^"[^"]+"$/),
  });
  expect(content.byteLength).toBe(output.images[0].bytes);
  expect([...content.subarray(1, 4)].map((code) => String.fromCharCode(code)).join('')).toBe('PNG');
  await response.body?.cancel();
});

test('HEAD says the same without the content', async () => {
  const response = await served.read({}, 'HEAD');
  expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([
    200,
    String(served.content.byteLength),
    '',
  ]);
});

describe.each([
  ['an image', () => served],
  ['a video', () => film],
])('ranges of %s', (_, fileOf) => {
  test.each([
    ['bytes=0-9', 0, 10],
    ['bytes=10-', 10, undefined],
    ['bytes=-7', -7, undefined],
    ['bytes=5-99999999', 5, undefined],
    ['bytes=-99999999', 0, undefined],
    ['bytes=0-0', 0, 1],
    ['BYTES= 3 - 5', 3, 6],
  ])('%s', async (range, start, end) => {
    const { content, read } = fileOf();
    const response = await read({ range });
    const expected = content.slice(start, end);
    const first = start < 0 ? content.byteLength + start : start;
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(`bytes ${first}-${first + expected.byteLength - 1}/${content.byteLength}`);
    expect(response.headers.get('content-length')).toBe(String(expected.byteLength));
    expect(isSame(new Uint8Array(await response.arrayBuffer()), expected)).toBe(true);
  });

  test.each(['bytes=99999999-', 'bytes=-0'])('%s cannot be satisfied', async (range) => {
    const { content, read } = fileOf();
    const response = await read({ range });
    expect([response.status, response.headers.get('content-range')]).toEqual([416, `bytes */${content.byteLength}`]);
  });

  test.each([
    'bytes=0-1,5-9',
    'bytes=0-,0-,0-',
    `bytes=${'0-0,'.repeat(2_000)}1-1`,
    'bytes=9-1',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'lines=0-1',
    `bytes=${'9'.repeat(400)}-`,
  ])('%.40s is ignored', async (range) => {
    const { content, read } = fileOf();
    const response = await read({ range });
    expect([response.status, (await response.arrayBuffer()).byteLength]).toEqual([200, content.byteLength]);
  });

  test('HEAD with a range says what the whole is', async () => {
    const { content, read } = fileOf();
    const response = await read({ range: 'bytes=0-1' }, 'HEAD');
    const { headers } = response;
    expect([response.status, headers.get('content-length'), headers.get('content-range'), await response.text()]).toEqual([
      200,
      String(content.byteLength),
      null,
      '',
    ]);
  });

  test('If-Range with anything but its ETag gets everything', async () => {
    const { content, read } = fileOf();
    const etag = (await read({}, 'HEAD')).headers.get('etag') ?? '';
    const lengthOf = async (ifRange: string) => (await (await read({ range: 'bytes=0-1', 'if-range': ifRange })).arrayBuffer()).byteLength;
    expect(await lengthOf(etag)).toBe(2);
    for (const other of ['"another"', `W/${etag}`, 'Wed, 25 Nov 2026 18:00:00 GMT'])
      expect(await lengthOf(other), other).toBe(content.byteLength);
  });
});

test('a video is stored as what it is, and each of its parts can be sought', async () => {
  const { url, read, content } = film;
  expect(url).toMatch(/^http:\/\/localhost\/media\/videos\/.*\.mp4$/);
  expect(content.byteLength).toBe(11_000_001);
  // Across the ends of what is stored, and read, at once.
  for (const at of [64 * 1024, 256 * 1024, 5 * 1024 * 1024, 10 * 1024 * 1024]) {
    const response = await read({ range: `bytes=${at - 1000}-${at + 999}` });
    expect(response.headers.get('content-type')).toBe('video/mp4');
    expect(isSame(new Uint8Array(await response.arrayBuffer()), content.slice(at - 1000, at + 1000)), String(at)).toBe(true);
  }
});

test('whoever has it already gets 304', async () => {
  const etag = (await served.read({}, 'HEAD')).headers.get('etag') ?? '';
  for (const known of [etag, `W/${etag}`, `"another", ${etag}`, '*'])
    expect((await served.read({ 'if-none-match': known })).status, known).toBe(304);
  expect((await served.read({ 'if-none-match': '"another"' })).status).toBe(200);
});

test('whatever is not media is not there: no listing, no state, no other file', async () => {
  const { app, url } = served;
  const name = new URL(url).pathname.slice('/media/'.length);
  const wrong = ['', 'images', 'images/', name.slice(0, name.lastIndexOf('/')), `${name}x`, `${name}/`, `/${name}`, 'state/x', '.lock'];
  const traversal = [
    '..%2f..%2fpackage.json',
    '%2e%2e/package.json',
    '%252e%252e%252fpackage.json',
    'images/2026/11/25/..%2f..%2f..%2f..%2f.state-secret',
    'images/2026/11/25/..%5c..%5c.state-secret',
    `${name}%00`,
    `${name}%00.png`,
    name.replace('images/', 'images%2f'),
    '%2fetc%2fpasswd',
    'images/../.state-secret',
    '.state-secret',
  ];
  for (const path of [...wrong, ...traversal]) expect((await app.request(`http://localhost/media/${path}`)).status, path).not.toBe(200);
});

test('what is not there now may be there later, so nobody keeps that', async () => {
  const { read, url } = served;
  const kept = async (...args: Parameters<typeof read>) => (await read(...args)).headers.get('cache-control');
  const missing = url.replace(/[0-9a-f-]{36}/, crypto.randomUUID());
  expect([await kept({}, 'GET', missing), await kept({ range: 'bytes=99999999-' }), await kept({}, 'DELETE')]).toEqual(
    Array(3).fill('no-store'),
  );
  expect(await kept()).toContain('immutable');
});

test('media can only be read; any page may ask', async () => {
  const { read, logged } = served;
  expect((await read({}, 'DELETE')).status).toBe(405);
  const preflight = await read({ origin: 'https://any.example', 'access-control-request-method': 'GET' }, 'OPTIONS');
  expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([204, 'range, if-range, if-none-match']);
  expect(logged.join('\n')).toContain('"path":"/media/…"');
  expect(logged.join('\n')).not.toContain(new URL(served.url).pathname);
});

test('a client that leaves while it reads ends only its own response', async () => {
  const response = await served.read();
  await response.body?.cancel();
  expect((await served.read()).status).toBe(200);
});

test('a job is collected by a retry, and media is listed', async () => {
  const { call, requests } = await start();
  const args = { prompt: 'A harbour', idempotency_key: 'once' };
  const first = await call('generate_image', args);
  const again = await call('generate_image', args);
  expect(again.structuredContent.images[0].url).toBe(first.structuredContent.images[0].url);
  expect((await requests()).filter(({ path }) => path.includes('images'))).toHaveLength(2);
  const { media } = (await call('list_media', {})).structuredContent;
  expect(media.map(({ url }: { url: string }) => url)).toContain(first.structuredContent.images[0].url);
});

test('a budget is kept', async () => {
  const limits = JSON.stringify({ budget_usd_per_day: 0.1 });
  const prices = JSON.stringify({ 'gpt-image-2': { image: 0.02 } });
  const { call } = createTestApp(await servedEnvironment({ MCP_PRINCIPAL_DEFAULTS: limits, MODEL_PRICES: prices }));
  const dear = { prompt: 'A fleet', quality: 'high', size: '1024x1024', n: 4 };
  expect((await call('generate_image', dear)).content[0]?.text).toMatch(/media/);
  expect((await call('generate_image', dear)).content[0]?.text).toMatch(/daily budget .*\$0\.10, has \$0\.\d+ left/);
});

test('an image that was made can be edited, and an upload is served as what it is', async () => {
  const { call, app, url, content } = await start();
  const { structuredContent } = await call('create_upload', {});
  const { pathname } = new URL(structuredContent.upload_url);
  const uploaded = await app.request(pathname, { method: 'PUT', body: content, headers: CLIENT_HEADERS });
  expect(uploaded.status).toBe(201);
  const { url: uploadUrl } = (await uploaded.json()) as { url: string };
  expect((await app.request(uploadUrl)).headers.get('content-type')).toBe('image/png');
  const edited = await call('edit_image', { prompt: 'At night', image_urls: [url] });
  expect(edited.isError, edited.content[0]?.text).toBeFalsy();
});
