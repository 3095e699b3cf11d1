import { describe, expect, inject, test } from 'vitest';
import { checkUrl, isPublicAddress, readInputImage } from '../../src/media/input-file.ts';
import { testRuntime } from '../support.ts';

const NEVER = new AbortController().signal;
const PNG = Uint8Array.fromBase64('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg==');
const image = () => new Response(PNG.slice());

/** Allows every notation by name, so that only the address can be rejected. */
const anyHost = (url: string) => [new URL(url).host];

describe('addresses that are rejected even when their host is allowed', () => {
  test.each([
    'https://10.0.0.1/x.png',
    'https://172.16.5.4/x.png',
    'https://192.168.1.1/x.png',
    'https://169.254.169.254/latest/meta-data',
    'https://100.64.0.1/x.png',
    'https://0.0.0.0/x.png',
    'https://0xa9fea9fe/',
    'https://2852039166/',
    'https://0251.0376.0251.0376/',
    'https://169.254.43518/',
    'https://[::ffff:169.254.169.254]/',
    'https://[::ffff:a9fe:a9fe]/',
    'https://[fe80::1]/',
    'https://[fd00::1]/',
    'https://[fc00::1]/',
    'https://[64:ff9b::a9fe:a9fe]/',
    'https://[2002:a9fe:a9fe::1]/',
    'https://[::]/',
    'https://224.0.0.1/',
    'https://255.255.255.255/',
    'https://１６９.２５４.１６９.２５４/',
    'https://169.254.169.254./',
  ])('%s', (url) => {
    expect(checkUrl(url, anyHost(url))).toEqual({ problem: expect.stringContaining('private address') });
  });
});

describe('URLs', () => {
  test.each([
    ['nonsense', /not a URL/],
    ['http://images.example.com/x.png', /https/],
    ['ftp://images.example.com/x.png', /https/],
    ['data:image/png;base64,AAAA', /https/],
    ['file:///etc/passwd', /https/],
    ['https://user:password@images.example.com/x.png', /password/],
    ['https://other.example.com/x.png', /MCP_ALLOWED_INPUT_HOSTS/],
    ['https://images.example.com.evil.example/x.png', /host/],
    ['https://images.example.com@evil.example/x.png', /password/],
    ['https://127.0.0.1/x.png', /host/],
    ['http://localhost:9/x.png', /host/],
  ])('%s is refused', (url, expected) => {
    expect(checkUrl(url, ['images.example.com'])).toEqual({ problem: expect.stringMatching(expected) });
  });

  test.each([
    ['https://images.example.com/x.png', ['images.example.com']],
    ['https://IMAGES.example.com:443/x.png', ['images.example.com']],
    ['https://images.example.com:8443/x.png', ['images.example.com:8443']],
    ['http://127.0.0.1:10000/x.png', ['127.0.0.1:10000']],
    ['http://[::1]:10000/x.png', ['[::1]:10000']],
    ['http://localhost:10000/x.png', ['localhost:10000']],
    ['https://93.184.216.34/x.png', ['93.184.216.34']],
  ])('%s is allowed for %j', (url, allowed) => {
    expect(checkUrl(url, allowed)).toMatchObject({ url: expect.any(URL) });
  });

  test('the port counts as well', () => {
    expect(checkUrl('https://images.example.com:8443/x.png', ['images.example.com'])).toHaveProperty('problem');
    expect(checkUrl('https://images.example.com:8444/x.png', ['images.example.com:8443'])).toHaveProperty('problem');
  });

  test('stored media is read from any host; what is beside it is not', () => {
    const isOwn = (url: string) => url.startsWith('http://10.0.0.7:9000/media/');
    expect(checkUrl('http://10.0.0.7:9000/media/a.png?X-Amz-Signature=1', [], isOwn)).toHaveProperty('url');
    for (const path of ['other/a.png', 'media/../other/a.png', 'media/%2e%2e/other/a.png', 'media'])
      expect(checkUrl(`http://10.0.0.7:9000/${path}`, [], isOwn)).toHaveProperty('problem');
  });
});

test.each([
  ['93.184.216.34', true],
  ['2606:2800:220:1:248:1893:25c8:1946', true],
  ['127.0.0.1', false],
  ['::1', false],
  ['10.1.2.3', false],
  ['::ffff:10.1.2.3', false],
  ['no address', false],
])('%s is public: %s', (address, expected) => {
  expect(isPublicAddress(address)).toBe(expected);
});

describe('reading', () => {
  const read = (fetch: (url: string, init: RequestInit) => Promise<Response>, url = 'https://images.example.com/x.png') =>
    readInputImage({ url, argument: 'the_url', maxBytes: 20 * 1024 * 1024, timeoutMs: 30_000 }, NEVER, {
      allowedHosts: ['images.example.com', 'other.example.com'],
      isOwn: () => false,
      fetch,
      clock: testRuntime(),
    });
  const redirect = (location: string) => new Response(null, { status: 302, headers: { location } });

  test('an image', async () => {
    expect(await read(async () => image())).toMatchObject({ bytes: PNG, format: { contentType: 'image/png' } });
  });

  test('redirects are never followed by fetch itself', async () => {
    const modes: (string | undefined)[] = [];
    await read(async (_, init) => {
      modes.push(init.redirect);
      return image();
    });
    expect(modes).toEqual(['manual']);
  });

  test('redirects on the same host are followed', async () => {
    const asked: string[] = [];
    await read(async (url) => (asked.push(url) === 1 ? redirect('/y.png') : image()));
    expect(asked).toEqual(['https://images.example.com/x.png', 'https://images.example.com/y.png']);
  });

  test.each([
    ['https://other.example.com/x.png', /redirect.*host/],
    ['https://evil.example/x.png', /host/],
    ['http://images.example.com/x.png', /https/],
    ['https://169.254.169.254/', /host/],
    ['https://[', /redirect.*URL/],
  ])('a redirect to %s is refused, and not asked', async (location, expected) => {
    const asked: string[] = [];
    const reading = read(async (url) => {
      asked.push(url);
      return redirect(location);
    });
    await expect(reading).rejects.toMatchObject({ failure: { kind: 'invalid_input', problems: [expect.stringMatching(expected)] } });
    expect(asked).toHaveLength(1);
  });

  test.each<[string, () => Promise<Response>, RegExp]>([
    ['something else', async () => new Response('<svg/>'), /the_url: .*PNG/],
    ['404', async () => new Response(null, { status: 404 }), /404/],
    ['no connection', async () => Promise.reject(new TypeError('at 10.0.0.7')), /^the_url: (?!.*10\.0\.0\.7)/],
    ['too much', async () => new Response(new Uint8Array(21 * 1024 * 1024)), /20971520 bytes/],
    ['redirects without end', async () => redirect('/x.png'), /redirect.*3/],
  ])('%s is an error', async (_, fetch, expected) => {
    await expect(read(fetch)).rejects.toMatchObject({ failure: { kind: 'invalid_input', problems: [expect.stringMatching(expected)] } });
  });
});

test('the storage of the tests is on loopback, where http is allowed', () => {
  const url = `${inject('storage').containerUrl}/x.png`;
  expect(checkUrl(url, [new URL(url).host])).toHaveProperty('url');
});
