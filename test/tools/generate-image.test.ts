import { describe, expect, inject, test } from 'vitest';
import { inspectImage } from '../../src/media/formats.ts';
import { CLIENT_KEY, createTestApp, eventually, isUpload, testEnvironment, testRuntime } from '../support.ts';

const SET = {
  n: 2,
  size: '128x64',
  quality: 'low',
  background: 'opaque',
  moderation: 'low',
  output_format: 'webp',
  output_compression: 70,
  safety_identifier: 'user-1',
};

async function readImage(url: string) {
  const response = await fetch(url);
  return { type: response.headers.get('content-type'), info: inspectImage(new Uint8Array(await response.arrayBuffer())) };
}

describe('what is sent', () => {
  test('a prompt, and nothing that the caller has not set', async () => {
    const app = createTestApp();
    await app.call('generate_image', { prompt: 'a lamp' });
    expect((await app.requests()).map(({ body }) => body)).toEqual([{ prompt: 'a lamp', model: 'gpt-image-2' }]);
  });

  test('everything that the caller has set', async () => {
    const app = createTestApp();
    await app.call('generate_image', { prompt: 'a lamp', ...SET });
    expect((await app.requests())[0]?.body).toEqual({ prompt: 'a lamp', model: 'gpt-image-2', ...SET });
  });

  test('style goes to servers that take it', async () => {
    const app = createTestApp();
    const result = await app.call('generate_image', { prompt: 'a lamp', model: 'compatible-image', style: 'natural', size: '64x64' });
    expect(result.isError).toBeUndefined();
    expect((await app.requests())[0]?.body).toMatchObject({ style: 'natural' });
  });
});

describe('what comes back', () => {
  test.each([
    ['png', 'image/png'],
    ['jpeg', 'image/jpeg'],
    ['webp', 'image/webp'],
  ])('%s images that anybody can read at their URLs, at the asked size', async (output_format, content_type) => {
    const { structuredContent } = await createTestApp().call('generate_image', { prompt: 'a lamp', n: 3, size: '128x64', output_format });
    expect(structuredContent.images).toHaveLength(3);
    for (const image of structuredContent.images) {
      expect(image).toEqual({ url: expect.any(String), content_type, bytes: expect.any(Number), width: 128, height: 64 });
      expect(await readImage(image.url)).toEqual({ type: content_type, info: expect.objectContaining({ width: 128, height: 64 }) });
    }
    expect(structuredContent).toMatchObject({ model: 'gpt-image-2', usage: { input_tokens: 10, output_tokens: expect.any(Number) } });
    expect(structuredContent).not.toHaveProperty('failures');
  });

  test('URLs in text, no resource links unless they are asked for, and no base64 anywhere', async () => {
    const args = { prompt: 'a lamp', n: 2, size: '64x64' };
    const plain = await createTestApp().call('generate_image', args);
    expect(plain.content.map(({ type }) => type)).toEqual(['text']);
    const result = await createTestApp(testEnvironment({ MCP_RESOURCE_LINKS: '1' })).call('generate_image', {
      prompt: 'a lamp',
      n: 2,
      size: '64x64',
    });
    const [text, ...links] = result.content;
    expect(links).toEqual(
      result.structuredContent.images.map(({ url, bytes }: { url: string; bytes: number }) => {
        return { type: 'resource_link', uri: url, name: expect.stringMatching(/^[\w-]{36}\.png$/), mimeType: 'image/png', size: bytes };
      }),
    );
    for (const { url } of result.structuredContent.images) expect(text?.text).toContain(url);
    expect(JSON.stringify(result).length).toBeLessThan(4000);
  });

  test('names hold the prefix, the root, the day and a new id', async () => {
    const now = () => Date.UTC(2026, 0, 2, 3, 4, 5);
    // By that clock signatures would have expired; a SAS of the operator's has its own dates.
    const AZURE_STORAGE_CONNECTION_STRING = inject('storage').sasConnectionString;
    const env = testEnvironment({ AZURE_STORAGE_CONNECTION_STRING, AZURE_BLOB_PATH_PREFIX: 'team/a', AZURE_BLOB_IMAGE_ROOT: 'pictures' });
    const { structuredContent } = await createTestApp(env, testRuntime({ now })).call('generate_image', {
      prompt: 'a lamp',
      size: '64x64',
    });
    expect(structuredContent.images[0].url.slice(inject('storage').containerUrl.length)).toMatch(
      /^\/team\/a\/pictures\/2026\/01\/02\/[\w-]{36}\.png$/,
    );
  });

  test('images returned as a URL are fetched and stored as well, without our key', async () => {
    const app = createTestApp();
    const { structuredContent } = await app.call('generate_image', { prompt: 'a lamp', model: 'compatible-image', size: '64x64' });
    const [image] = structuredContent.images;
    expect(image).toMatchObject({ revised_prompt: 'a lamp, in detail', width: 64 });
    expect(image.url).toContain(inject('storage').containerUrl);
    expect((await readImage(image.url)).info).toMatchObject({ width: 64, height: 64 });
  });
});

describe('nothing is spent', () => {
  test('when storage is not configured: the missing variables are named', async () => {
    const app = createTestApp(testEnvironment({ AZURE_BLOB_CONTAINER: '', AZURE_BLOB_PUBLIC_BASE_URL: '' }));
    const result = await app.call('generate_image', { prompt: 'a lamp' });
    expect(result.isError).toBe(true);
    expect(result.content[0]?.text).toMatch(/AZURE_BLOB_CONTAINER.*AZURE_BLOB_PUBLIC_BASE_URL.*\(not_configured, /);
    expect(await app.requests()).toEqual([]);
  });

  test.each([
    [{}, /prompt: /],
    [{ prompt: 'x'.repeat(32_001) }, /prompt: must have at most 32000 characters/],
    [{ prompt: 'a', n: 0 }, /n: must be at least 1/],
    [{ prompt: 'a', n: 11 }, /n: must be at most 10/],
    [{ prompt: 'a', n: 1.5 }, /n: must be a whole number/],
    [{ prompt: 'a', size: 'large' }, /size: .*auto.*WIDTHxHEIGHT/],
    [{ prompt: 'a', size: '1024' }, /size: .*auto.*WIDTHxHEIGHT/],
    [{ prompt: 'a', quality: 'best' }, /quality: .*low, medium/],
    [{ prompt: 'a', background: 'blue' }, /background: .*opaque, transparent/],
    [{ prompt: 'a', background: 'transparent', output_format: 'jpeg' }, /background: .*transparent.*output_format.*png.*webp/],
    [{ prompt: 'a', output_format: 'svg' }, /output_format: must be one of png, jpeg, webp/],
    [{ prompt: 'a', output_compression: 50 }, /output_compression: .*output_format.*jpeg.*webp/],
    [{ prompt: 'a', output_compression: 101, output_format: 'webp' }, /output_compression: must be at most 100/],
    [{ prompt: 'a', style: 'bright' }, /style: must be one of vivid, natural/],
    [{ prompt: 'a', response_format: 'url' }, /response_format: .*: prompt, model, n,/],
  ])('when the arguments are wrong: %j', async (args, expected) => {
    const app = createTestApp();
    const result = await app.call('generate_image', args);
    expect(result.isError).toBe(true);
    expect(result.content[0]?.text).toMatch(expected);
    expect(await app.requests()).toEqual([]);
  });
});

describe('faults', () => {
  test.each([500, 502, 503, 429, 408])('creation is sent once, whatever the status: %i', async (status) => {
    const app = createTestApp();
    await app.fail({ status }, { status });
    expect(await app.call('generate_image', { prompt: 'a lamp' })).toMatchObject({ isError: true });
    expect(await app.requests()).toHaveLength(1);
  });

  test('a creation whose response breaks off is sent once, and reported as possibly billed', async () => {
    const app = createTestApp();
    await app.fail({ cut: true });
    const result = await app.call('generate_image', { prompt: 'a lamp', size: '64x64' });
    expect(result).toMatchObject({ isError: true, content: [{ text: expect.stringMatching(/billed|charged/) }] });
    expect(await app.requests()).toHaveLength(1);
  });

  /** Storage that refuses some of the uploads for good. */
  const refusing = (refuse: (upload: number) => boolean) => {
    let uploads = 0;
    return testRuntime({
      fetch: (input, init) => {
        if (isUpload(init) && refuse(uploads++))
          return Promise.resolve(new Response(null, { status: 403, headers: { 'x-ms-error-code': 'AuthenticationFailed' } }));
        return fetch(input, init);
      },
    });
  };

  test('images that cannot be stored are reported, and do not affect the others', async () => {
    const app = createTestApp(
      testEnvironment(),
      refusing((upload) => upload === 1),
    );
    const result = await app.call('generate_image', { prompt: 'a lamp', n: 3, size: '64x64' });
    expect(result.isError).toBeUndefined();
    expect(result.structuredContent.images).toHaveLength(2);
    expect(result.structuredContent.failures).toEqual([expect.stringMatching(/\b\d of 3\b.*403 \(AuthenticationFailed\)/)]);
    expect(result.content[0]?.text).toMatch(/\b\d of 3\b/);
  });

  test('when none can be stored, the call fails with the reason', async () => {
    const result = await createTestApp(
      testEnvironment(),
      refusing(() => true),
    ).call('generate_image', { prompt: 'a lamp', n: 2, size: '64x64' });
    expect(result.content[0]?.text).toMatch(/^The 2 images .*billed.*403.*AZURE_STORAGE_CONNECTION_STRING.*\(media_lost, /);
  });

  test('an image at a URL that fails for a while is not lost', async () => {
    let reads = 0;
    const runtime = testRuntime({
      fetch: (input, init) =>
        String(input).includes('/files/') && reads++ < 2 ? Promise.resolve(new Response(null, { status: 503 })) : fetch(input, init),
    });
    const app = createTestApp(testEnvironment(), runtime);
    const { structuredContent } = await app.call('generate_image', { prompt: 'a lamp', model: 'compatible-image', size: '64x64' });
    expect(structuredContent.images).toHaveLength(1);
  });

  test('data: URLs are base64 by another name', async () => {
    const app = createTestApp();
    const png = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg==';
    await app.fail({
      status: 200,
      body: JSON.stringify({ data: [{ url: png }, { b64_json: png }] }),
      headers: { 'content-type': 'application/json' },
    });
    expect((await app.call('generate_image', { prompt: 'a lamp', n: 2 })).structuredContent.images).toHaveLength(2);
  });

  test('uploads are retried', async () => {
    let uploads = 0;
    const runtime = testRuntime({
      fetch: (input, init) =>
        isUpload(init) && uploads++ === 0 ? Promise.resolve(new Response(null, { status: 503 })) : fetch(input, init),
    });
    const app = createTestApp(testEnvironment(), runtime);
    expect((await app.call('generate_image', { prompt: 'a lamp', size: '64x64' })).structuredContent.images).toHaveLength(1);
    expect(uploads).toBe(2);
    expect(await app.requests()).toHaveLength(1);
  });

  test.each([
    ['no images', { data: [] }, /images/],
    ['no data', {}, /images/],
    ['broken base64', { data: [{ b64_json: '%%%' }] }, /base64/],
    ['something that is no image', { data: [{ b64_json: btoa('<svg/>') }] }, /PNG, JPEG, WebP/],
    ['neither base64 nor a URL', { data: [{}] }, /b64_json/],
    ['a URL of another scheme', { data: [{ url: 'file:///etc/passwd' }] }, /b64_json/],
    ['a URL that cannot be read', { data: [{ url: 'http://127.0.0.1:9/x.png' }] }, /./],
    ['a URL that is gone', { data: [{ url: `${inject('openaiUrl')}/files/none` }] }, /404/],
  ])('an answer with %s is an error', async (_, body, expected) => {
    const app = createTestApp();
    await app.fail({ status: 200, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
    const result = await app.call('generate_image', { prompt: 'a lamp' });
    expect(result.isError).toBe(true);
    expect(result.content[0]?.text).toMatch(expected);
    expect(result.content[0]?.text).toMatch(/\(upstream_answer, request /);
  });
});

describe('what was not asked for', () => {
  const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg==';
  const json = { 'content-type': 'application/json' };

  test('an entry without an image does not cost the others', async () => {
    const app = createTestApp();
    await app.fail({ status: 200, body: JSON.stringify({ data: [{ b64_json: PNG }, {}, { b64_json: PNG }] }), headers: json });
    const { structuredContent } = await app.call('generate_image', { prompt: 'a lamp', n: 3 });
    expect(structuredContent.images).toHaveLength(2);
    expect(structuredContent.failures).toEqual([expect.stringMatching(/^Image 2 of 3 .*b64_json/)]);
  });

  test('images beyond those asked for are not stored, and counted', async () => {
    const app = createTestApp();
    await app.fail({ status: 200, body: JSON.stringify({ data: Array(1_000).fill({ b64_json: PNG }) }), headers: json });
    const { structuredContent } = await app.call('generate_image', { prompt: 'a lamp', n: 2 });
    expect(structuredContent.images).toHaveLength(2);
    expect(structuredContent.failures).toEqual([expect.stringContaining('998')]);
  });

  test('images that came before the response broke off are stored', async () => {
    const app = createTestApp();
    const body = JSON.stringify({ data: [{ b64_json: PNG }, { b64_json: PNG }, { b64_json: PNG }] });
    await app.fail({ status: 200, body: body.slice(0, -20), headers: json });
    const { structuredContent } = await app.call('generate_image', { prompt: 'a lamp', n: 3 });
    expect(structuredContent.images).toHaveLength(2);
    expect(structuredContent.failures).toEqual([expect.stringContaining('JSON')]);
  });

  test.each(['http://10.0.0.1/x.png', 'http://169.254.169.254/latest', 'http://[::1]:1/x.png', 'http://localhost:1/x.png'])(
    'a URL at a private address is not read: %s',
    async (url) => {
      const asked: string[] = [];
      const fetchPublic: typeof globalThis.fetch = async (input) => {
        asked.push(String(input));
        return new Response(null, { status: 404 });
      };
      const runtime = testRuntime({ fetchPublic });
      const app = createTestApp(testEnvironment(), runtime);
      await app.fail({ status: 200, body: JSON.stringify({ data: [{ url }] }), headers: json });
      expect((await app.call('generate_image', { prompt: 'a lamp' })).content[0]?.text).toContain('private');
      expect(asked).toEqual([]);
    },
  );

  test('a host that the operator allows may be at a private address, and redirects from one to another may not', async () => {
    const runtime = testRuntime({});
    const fetch: typeof globalThis.fetch = (input, init) => {
      if (String(input) === 'http://10.0.0.1/x.png') return Promise.resolve(new Response(Uint8Array.fromBase64(PNG)));
      if (String(input) === 'http://10.0.0.1/moved')
        return Promise.resolve(new Response(null, { status: 302, headers: { location: 'http://10.0.0.2/x.png' } }));
      return runtime.fetch(input, init);
    };
    const app = createTestApp(testEnvironment({ MCP_ALLOWED_DOWNLOAD_HOSTS: '10.0.0.1' }), { ...runtime, fetch });
    const data = [{ url: 'http://10.0.0.1/x.png' }, { url: 'http://10.0.0.1/moved' }];
    await app.fail({ status: 200, body: JSON.stringify({ data }), headers: json });
    const { structuredContent } = await app.call('generate_image', { prompt: 'a lamp', n: 2 });
    expect(structuredContent.images).toHaveLength(1);
    expect(structuredContent.failures).toEqual([expect.stringContaining('private')]);
  });
});

describe('more than the memory is for', () => {
  test('is refused before anything is sent', async () => {
    const app = createTestApp(testEnvironment(), testRuntime({ mediaMemoryBytes: 10 * 1024 * 1024 }));
    await app.fail({ hold: 'all' });
    const first = app.call('generate_image', { prompt: 'a lamp', n: 2, size: '64x64' });
    await eventually(async () => (await app.requests()).length === 1);
    const second = await app.call('generate_image', { prompt: 'a lamp', n: 1, size: '64x64' });
    await app.release();
    expect((await first).structuredContent.images).toHaveLength(2);
    expect(second.content[0]?.text).toMatch(/ in \d+ s\. \(busy, /);
    expect(await app.requests()).toHaveLength(1);
    expect((await app.call('generate_image', { prompt: 'a lamp', size: '64x64' })).isError).toBeUndefined();
  });

  test('a call for more than all of it runs alone', async () => {
    const app = createTestApp(testEnvironment(), testRuntime({ mediaMemoryBytes: 1024 }));
    expect((await app.call('generate_image', { prompt: 'a lamp', n: 3, size: '64x64' })).structuredContent.images).toHaveLength(3);
  });

  test('while storage stalls, the rest of a paid response is read into what was admitted', async () => {
    const runtime = testRuntime({}, 1_000);
    let isStalled = true;
    const fetch: typeof globalThis.fetch = async (input, init) => {
      while (isUpload(init) && isStalled) await runtime.sleep(1_000);
      return runtime.fetch(input, init);
    };
    const app = createTestApp(testEnvironment(), { ...runtime, fetch });
    const called = app.call('generate_image', { prompt: 'a lamp', n: 4, size: '64x64' });
    await runtime.sleep(60_000);
    isStalled = false;
    expect((await called).structuredContent.images).toHaveLength(4);
  });
});

describe('a client that leaves', () => {
  test('does not cost the image that is paid for', async () => {
    const app = createTestApp();
    await app.fail({ delayMs: 300 });
    const left = new AbortController();
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'generate_image', arguments: { prompt: 'a lamp', size: '64x64' } },
    });
    const headers = {
      authorization: `Bearer ${CLIENT_KEY}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    };
    const posted = app.app.request(new Request('http://localhost/mcp', { method: 'POST', headers, body, signal: left.signal }));
    await eventually(async () => (await app.requests()).length === 1);
    left.abort();
    await posted;
    const ended = await eventually(() => app.logged.find((line) => line.includes('"event":"job"')));
    expect(ended).toContain('"state":"completed"');
    const blob = /"blob":"([^"]+)"/.exec(app.logged.join())?.[1];
    expect((await fetch(`${inject('storage').containerUrl}/${blob}`)).status).toBe(200);
  });
});
