import { describe, expect, inject, test } from 'vitest';
import { createTestApp, eventually, newAccount, testEnvironment, testRuntime } from '../support.ts';

type App = ReturnType<typeof createTestApp>;
type Ticket = { upload_url: string; url: string; max_bytes: number; expires_at: string };

/** Published by others: the smallest valid files of their kinds, as hexadecimal. */
const GIF = Uint8Array.fromHex('47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b');
const PNG = Uint8Array.fromBase64('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==');
const text = (content: string) => new TextEncoder().encode(content);

async function newTicket(app: App): Promise<Ticket> {
  return (await app.call('create_upload', {})).structuredContent;
}

/** Sends a file as a client does that has only the URL. */
async function put({ app }: App, { upload_url }: Pick<Ticket, 'upload_url'>, body: BodyInit, init: RequestInit = {}) {
  return app.request(new URL(upload_url).pathname, { method: 'PUT', body, duplex: 'half', ...init } as RequestInit);
}

const errorOf = async (response: Response) => ((await response.json()) as { error: { code: string; message: string } }).error;

test('a file that is sent to the URL is at the other URL, for other tools', async () => {
  const app = createTestApp();
  const image = (await app.call('generate_image', { prompt: 'a lamp', size: '64x64' })).structuredContent.images[0];
  const bytes = new Uint8Array(await (await fetch(image.url)).arrayBuffer());
  const ticket = await newTicket(app);
  const response = await put(app, ticket, bytes);
  expect(response.status).toBe(201);
  expect(await response.json()).toEqual({ url: ticket.url, content_type: 'image/png', bytes: bytes.byteLength });
  expect(new Uint8Array(await (await fetch(ticket.url)).arrayBuffer())).toEqual(bytes);
  const { structuredContent } = await app.call('edit_image', { prompt: 'night', images: [ticket.url] });
  expect(structuredContent.images).toHaveLength(1);
});

test('the text has a curl line, and says what is taken', async () => {
  const app = createTestApp();
  const { content, structuredContent } = await app.call('create_upload', {});
  expect(content[0]?.text).toContain(`curl --fail-with-body -T FILE "${structuredContent.upload_url}"`);
  expect(content[0]?.text).toContain(structuredContent.url);
  expect(structuredContent.upload_url).toMatch(/^http:\/\/localhost\/uploads\/[\w-]+$/);
});

test.each([
  [{ MCP_PUBLIC_URL: 'https://gateway.example.com/team/' }, {}, 'https://gateway.example.com/team/uploads/'],
  [{}, { host: 'gateway.example.com', 'x-forwarded-proto': 'https' }, 'https://gateway.example.com/uploads/'],
] as [Record<string, string>, Record<string, string>, string][])(
  'its URL is the one that clients reach: %j %j',
  async (env, headers, start) => {
    const app = createTestApp(testEnvironment(env));
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'create_upload', arguments: {} } };
    const { result } = (await (await app.post(message, headers)).json()) as { result: { structuredContent: Ticket } };
    expect(result.structuredContent.upload_url.startsWith(start)).toBe(true);
  },
);

describe('refused, with nothing stored', () => {
  test.each([
    ['HTML', text('<!doctype html><script>alert(1)</script>'), 415],
    ['SVG', text('<svg xmlns="http://www.w3.org/2000/svg"/>'), 415],
    ['SVG with a declaration', text('<?xml version="1.0"?><svg/>'), 415],
    ['PDF', text('%PDF-1.7\n'), 415],
    ['a program', Uint8Array.fromHex('7f454c46020101000000000000000000'), 415],
    ['HEIC', Uint8Array.fromHex('00000018667479706865696300000000'), 415],
    ['AVIF', Uint8Array.fromHex('0000001c667479706176696600000000'), 415],
    ['nothing', new Uint8Array(0), 400],
  ])('%s', async (_, bytes, status) => {
    const app = createTestApp();
    const ticket = await newTicket(app);
    const response = await put(app, ticket, bytes);
    expect(response.status).toBe(status);
    expect(await errorOf(response)).toMatchObject({ code: 'upload_failed', message: expect.stringContaining('Nothing was stored.') });
    expect((await fetch(ticket.url)).status).toBe(404);
    // The URL can still be used.
    expect((await put(app, ticket, GIF)).status).toBe(201);
  });

  test('a second file', async () => {
    const app = createTestApp();
    const ticket = await newTicket(app);
    expect((await put(app, ticket, GIF)).status).toBe(201);
    expect((await put(app, ticket, PNG)).status).toBe(409);
    expect((await fetch(ticket.url)).headers.get('content-type')).toBe('image/gif');
  });

  test('all but one of several at once', async () => {
    const app = createTestApp();
    const ticket = await newTicket(app);
    const statuses = (await Promise.all([GIF, PNG, GIF, PNG].map((bytes) => put(app, ticket, bytes)))).map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([201, 409, 409, 409]);
  });

  test('one that is too large, whether it says so or not', async () => {
    const app = createTestApp();
    const ticket = await newTicket(app);
    const large = new Uint8Array(ticket.max_bytes + 1);
    large.set(PNG);
    expect((await put(app, ticket, large, { headers: { 'content-length': String(large.byteLength) } })).status).toBe(413);
    expect((await put(app, ticket, chunked(large))).status).toBe(413);
    expect((await fetch(ticket.url)).status).toBe(404);
    expect((await put(app, ticket, chunked(large.subarray(0, ticket.max_bytes)))).status).toBe(201);
  });

  test('one that ends before its declared length', async () => {
    const app = createTestApp();
    const ticket = await newTicket(app);
    expect((await put(app, ticket, chunked(PNG), { headers: { 'content-length': String(PNG.byteLength + 5) } })).status).toBe(400);
    expect((await fetch(ticket.url)).status).toBe(404);
  });

  test('a compressed one', async () => {
    const app = createTestApp();
    expect((await put(app, await newTicket(app), GIF, { headers: { 'content-encoding': 'gzip' } })).status).toBe(415);
  });

  test('after 15 minutes', async () => {
    let laterMs = 0;
    const { now, ...runtime } = testRuntime();
    const app = createTestApp(testEnvironment(), { ...runtime, now: () => now() + laterMs });
    const ticket = await newTicket(app);
    laterMs = 16 * 60_000;
    const response = await put(app, ticket, GIF);
    expect([response.status, (await errorOf(response)).message]).toEqual([410, expect.stringContaining('create_upload')]);
  });

  test.each(['x', 'AAAA', 'a'.repeat(1_000), 'a'.repeat(5_000), '%00', '..%2f..'])('an unknown token: %s', async (token) => {
    const { app } = createTestApp();
    expect((await app.request(`/uploads/${token}`, { method: 'PUT', body: GIF })).status).toBe(404);
  });

  test('a changed token, and one of another gateway', async () => {
    const [app, other] = [createTestApp(), createTestApp()];
    const { upload_url } = await newTicket(app);
    const changed = upload_url.slice(0, -1) + (upload_url.endsWith('A') ? 'B' : 'A');
    expect((await put(app, { upload_url: changed }, GIF)).status).toBe(404);
    expect((await put(other, { upload_url }, GIF)).status).toBe(404);
  });

  test.each(['GET', 'POST', 'DELETE'])('%s', async (method) => {
    const app = createTestApp();
    const { upload_url } = await newTicket(app);
    const response = await app.app.request(new URL(upload_url).pathname, { method });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'PUT']);
    const token = upload_url.split('/').at(-1) ?? '?';
    expect(await response.text()).not.toContain(token);
  });
});

test('the log names who uploaded, and never has the token', async () => {
  const app = createTestApp();
  const ticket = await newTicket(app);
  await put(app, ticket, GIF);
  await put(app, ticket, GIF);
  const log = app.logged.join('\n');
  expect(log).toContain('"path":"/uploads/…"');
  expect(app.logged.map((line) => JSON.parse(line))).toContainEqual(
    expect.objectContaining({ event: 'upload', principal: 'default', content_type: 'image/gif', bytes: GIF.byteLength }),
  );
  expect(log).not.toContain(ticket.upload_url.split('/').at(-1));
});

test('a page of an allowed origin may upload', async () => {
  const { app } = createTestApp(testEnvironment({ MCP_ALLOWED_ORIGINS: 'https://app.example.com' }));
  const headers = { origin: 'https://app.example.com', 'access-control-request-method': 'PUT' };
  const response = await app.request('/uploads/x', { method: 'OPTIONS', headers });
  expect(response.headers.get('access-control-allow-methods')).toContain('PUT');
});

test('without storage, no URL is given', async () => {
  const app = createTestApp({
    MCP_SERVER_API_KEY: 'k'.repeat(32),
    OPENAI_API_KEY: newAccount(),
    OPENAI_BASE_URL: `${inject('openaiUrl')}/v1`,
  });
  const answer = await app.app.request('/uploads/AAAA', { method: 'PUT', body: GIF });
  expect(answer.status).toBe(404);
});

test('audio is taken, and can be transcribed', async () => {
  const app = createTestApp();
  const speech = (await app.call('synthesize_speech', { input: 'Hello', response_format: 'wav' })).structuredContent;
  const ticket = await newTicket(app);
  expect((await put(app, ticket, await (await fetch(speech.url)).arrayBuffer())).status).toBe(201);
  expect((await app.call('transcribe_audio', { audio: ticket.url })).structuredContent.text).toContain('WAVE');
  await eventually(async () => (await app.call('list_media', { tool: 'create_upload' })).structuredContent.media.length === 1);
});

/** A body without a length. */
function chunked(bytes: Uint8Array): ReadableStream {
  const chunk = 64 * 1024;
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.byteLength) return controller.close();
      controller.enqueue(bytes.subarray(at, at + chunk));
      at += chunk;
    },
  });
}
