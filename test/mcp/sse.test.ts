import { afterEach, describe, expect, test } from 'vitest';
import type { RecordedRequest } from '../stand-ins/openai/accounts.ts';
import { CLIENT_KEY, createTestApp, eventually, testEnvironment, testRuntime } from '../support.ts';

type TestApp = ReturnType<typeof createTestApp>;
type Message = {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
};

const AUTHORIZED = { authorization: `Bearer ${CLIENT_KEY}` };
const open: { close: () => Promise<void> }[] = [];
afterEach(() => Promise.all(open.splice(0).map((stream) => stream.close())));

/** Opens a stream as a client of 2024-11-05 does, and reads its events. */
async function openStream({ app }: TestApp, path = '/sse', headers: Record<string, string> = {}) {
  const response = await app.request(path, { headers: { ...AUTHORIZED, accept: 'text/event-stream', ...headers } });
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  if (response.status !== 200 || !reader) throw new Error(`HTTP ${response.status}`);
  let text = '';
  /** The next block of the stream: an event or a comment. */
  async function nextBlock(): Promise<string> {
    while (!text.includes('\n\n')) {
      const chunk = await reader?.read().catch(() => undefined);
      if (!chunk?.value) return 'end of the stream';
      text += decoder.decode(chunk.value, { stream: true });
    }
    const [block = '', ...rest] = text.split('\n\n');
    text = rest.join('\n\n');
    return block;
  }
  const [, inbox = ''] = /^event: endpoint\ndata: (.*)$/.exec(await nextBlock()) ?? [];
  const stream = {
    inbox,
    nextBlock,
    async nextMessage(): Promise<Message> {
      const block = await nextBlock();
      const [, data] = /^event: message\ndata: (.*)$/.exec(block) ?? [];
      if (data !== undefined) return JSON.parse(data);
      return block.startsWith(':') ? stream.nextMessage() : { error: { message: block } };
    },
    close: async () => void (await reader?.cancel().catch(() => {})),
    post: (message: unknown, headers: Record<string, string> = AUTHORIZED) =>
      app.request(inbox, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(message) }),
  };
  open.push(stream);
  return stream;
}

const call = (id: number, name: string, args: object, meta?: object) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args, ...(meta && { _meta: meta }) },
});
const chat = (id: number, prompt: string) => call(id, 'chat_completion', { prompt });
const initialize = (id: number) => ({
  jsonrpc: '2.0',
  id,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
});

async function lastRequest(app: TestApp): Promise<RecordedRequest | undefined> {
  return (await app.requests()).at(-1);
}

describe('the stream', () => {
  test('its first event is the message endpoint', async () => {
    const app = createTestApp();
    const response = await app.app.request('/sse', { headers: AUTHORIZED });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(response.headers.get('cache-control')).toContain('no-cache');
    await response.body?.cancel();
    expect((await openStream(app)).inbox).toMatch(/^\/messages\?sessionId=[0-9a-f-]{36}$/);
  });

  test.each([
    ['/mcp', {}, 200],
    // A client that opens its stream again names the revision that was agreed on.
    ['/mcp', { 'mcp-protocol-version': '2024-11-05' }, 200],
    ['/mcp', { 'mcp-protocol-version': '2025-06-18' }, 405],
    ['/mcp', { 'mcp-session-id': 'any' }, 405],
    ['/mcp', { accept: 'application/json' }, 405],
    ['/sse', { accept: '*/*' }, 200],
    ['/sse', { 'mcp-protocol-version': '2025-06-18' }, 200],
  ])('GET %s with %o returns %i', async (path, headers, status) => {
    const response = await createTestApp().app.request(path, { headers: { ...AUTHORIZED, accept: 'text/event-stream', ...headers } });
    expect(response.status).toBe(status);
    await response.body?.cancel();
  });

  test.each([
    ['DELETE', '/mcp', 'POST'],
    ['HEAD', '/mcp', 'POST'],
    ['HEAD', '/sse', 'GET, POST'],
    ['DELETE', '/sse', 'GET, POST'],
    ['GET', '/messages?sessionId=x', 'POST'],
  ])('%s %s returns 405', async (method, path, allow) => {
    const response = await createTestApp().app.request(path, { method, headers: { ...AUTHORIZED, accept: 'text/event-stream' } });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe(allow);
  });

  test('POST /sse is Streamable HTTP, which some clients try first', async () => {
    const headers = { ...AUTHORIZED, 'content-type': 'application/json' };
    const response = await createTestApp().app.request('/sse', { method: 'POST', headers, body: JSON.stringify(initialize(1)) });
    expect(await response.json()).toMatchObject({ id: 1, result: { protocolVersion: '2025-11-25' } });
  });

  test('is kept alive by comments', async () => {
    const stream = await openStream(createTestApp());
    expect(await stream.nextBlock()).toBe(': keep-alive');
    expect(await stream.nextBlock()).toBe(': keep-alive');
  });

  test('sends more frequent heartbeats while a call is pending, where the runtime needs it', async () => {
    const app = createTestApp(testEnvironment(), testRuntime({ heartbeatMs: 500 }));
    const stream = await openStream(app);
    await app.fail({ delayMs: 60 });
    await stream.post(chat(1, 'Hello'));
    for (let comments = 0; comments < 4; comments++) expect(await stream.nextBlock()).toBe(': keep-alive');
  });

  test('ends after half an hour without a message', async () => {
    let laterMs = 0;
    const runtime = testRuntime();
    const app = createTestApp(testEnvironment(), { ...runtime, now: () => runtime.now() + laterMs });
    const stream = await openStream(app);
    laterMs = 29 * 60_000;
    expect(await stream.nextBlock()).toBe(': keep-alive');
    laterMs = 31 * 60_000;
    await expect.poll(stream.nextBlock).toBe('end of the stream');
    expect((await stream.post(chat(1, 'Hello'))).status).toBe(404);
  });

  test('is rejected when a thousand are open', async () => {
    const app = createTestApp();
    const streams = await Promise.all(Array.from({ length: 1000 }, () => app.app.request('/sse', { headers: AUTHORIZED })));
    const refused = await app.app.request('/sse', { headers: AUTHORIZED });
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ error: { code: 'too_many_sessions' } });
    await Promise.all(streams.map(({ body }) => body?.cancel()));
    await (await openStream(app)).close();
  });
});

describe('messages', () => {
  test('are accepted at once; responses arrive on the stream', async () => {
    const app = createTestApp();
    const stream = await openStream(app);
    const response = await stream.post(initialize(0));
    expect(response.status).toBe(202);
    expect(await stream.nextMessage()).toMatchObject({ id: 0, result: { protocolVersion: '2024-11-05', capabilities: { tools: {} } } });
    await stream.post({ jsonrpc: '2.0', method: 'notifications/initialized' });
    await stream.post(chat(1, 'Hello'));
    expect(await stream.nextMessage()).toMatchObject({ id: 1, result: { structuredContent: { text: 'The stand-in was asked: Hello' } } });
  });

  test('that run concurrently get responses with their own id, on their own stream', async () => {
    const app = createTestApp();
    const streams = [await openStream(app), await openStream(app)];
    await Promise.all(streams.flatMap((stream, n) => [1, 2, 3].map((id) => stream.post(chat(id, `stream ${n}, call ${id}`)))));
    for (const [n, stream] of streams.entries()) {
      const answers = [await stream.nextMessage(), await stream.nextMessage(), await stream.nextMessage()];
      const texts = answers.map(({ id, result }) => [id, result?.structuredContent]).sort();
      expect(texts).toEqual(
        [1, 2, 3].map((id) => [id, expect.objectContaining({ text: `The stand-in was asked: stream ${n}, call ${id}` })]),
      );
    }
  });

  test('with a progress token get progress before the response', async () => {
    const app = createTestApp();
    const stream = await openStream(app);
    await app.fail({ delayMs: 40 });
    await stream.post(call(1, 'generate_image', { prompt: 'a lamp', size: '64x64' }, { progressToken: 'token' }));
    const first = await stream.nextMessage();
    expect(first).toMatchObject({ method: 'notifications/progress', params: { progressToken: 'token', progress: 1 } });
  });

  test('rejects malformed tools/call requests', async () => {
    const stream = await openStream(createTestApp());
    await stream.post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: {} });
    expect(await stream.nextMessage()).toMatchObject({ id: 1, error: { code: -32602, message: expect.stringContaining('params.name') } });
  });

  test.each([
    [{ hello: 'world' }, -32600],
    [[chat(1, 'Hello')], -32600],
    [{ jsonrpc: '2.0', id: { a: 1 }, method: 'tools/call' }, -32600],
    [{ id: 1, method: 'tools/call' }, -32600],
  ])('%j is rejected', async (message, code) => {
    const response = await (await openStream(createTestApp())).post(message);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code } });
  });

  test('with an id in use are rejected: of two, only the last could be cancelled', async () => {
    const app = createTestApp();
    const stream = await openStream(app);
    await app.fail({ delayMs: 300 });
    expect((await stream.post(chat(1, 'first'))).status).toBe(202);
    expect((await stream.post(chat(1, 'second'))).status).toBe(400);
    expect(await stream.nextMessage()).toMatchObject({ id: 1, result: { structuredContent: { text: 'The stand-in was asked: first' } } });
    expect((await stream.post(chat(1, 'third'))).status).toBe(202);
    expect(await stream.nextMessage()).toMatchObject({ id: 1, result: { structuredContent: { text: 'The stand-in was asked: third' } } });
  });

  test('require the bearer token, as the stream does', async () => {
    const app = createTestApp();
    const stream = await openStream(app);
    expect((await stream.post(chat(1, 'Hello'), {})).status).toBe(401);
    expect((await app.app.request('/sse')).status).toBe(401);
    expect((await app.app.request('/mcp', { headers: { accept: 'text/event-stream' } })).status).toBe(401);
  });

  test('to an unknown session return 404', async () => {
    const { app } = createTestApp();
    const headers = { ...AUTHORIZED, 'content-type': 'application/json' };
    for (const query of ['', '?sessionId=', '?sessionId=no-such', `?sessionId=${crypto.randomUUID()}`]) {
      const response = await app.request(`/messages${query}`, { method: 'POST', headers, body: JSON.stringify(chat(1, 'Hello')) });
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ error: { code: 'unknown_session' } });
    }
  });

  test('of another principal do not reach the session', async () => {
    const { sessions } = createTestApp();
    const response = await sessions.open('one');
    const [, sessionId = ''] = /sessionId=(\S+)/.exec(new TextDecoder().decode((await response?.body?.getReader().read())?.value)) ?? [];
    const by = (id: string) => ({
      sessionId,
      message: chat(1, 'Hello'),
      exchange: { requestId: 'r', principal: { id, name: id, limits: {} } },
    });
    expect(await sessions.deliver(by('another'))).toBe('unknown');
    expect(await sessions.deliver(by('one'))).toBe('accepted');
  });
});

describe('abandoned work is cancelled', () => {
  async function openStreamWithSlowCall(id: number) {
    const app = createTestApp();
    const stream = await openStream(app);
    await app.fail({ hold: 'all' });
    await stream.post(chat(id, 'Hello'));
    await eventually(() => lastRequest(app));
    return { app, stream };
  }

  async function expectStopped(app: TestApp): Promise<void> {
    await eventually(async () => (await lastRequest(app))?.brokenOffAtMs);
    await eventually(() => app.gateway.callsInFlight() === 0);
  }

  test('when the client cancels the call', async () => {
    const { app, stream } = await openStreamWithSlowCall(7);
    await stream.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } });
    await expectStopped(app);
    await stream.post(chat(8, 'still here'));
    expect(await stream.nextMessage()).toMatchObject({ id: 8 });
  });

  test('when the client stops reading', async () => {
    const app = createTestApp();
    const stream = await openStream(app);
    for (let id = 1; id <= 3; id++) await stream.post(chat(id, 'a lot to read '.repeat(250_000)));
    await eventually(async () => (await stream.post(chat(4, 'Hello'))).status === 404);
    await eventually(() => app.gateway.callsInFlight() === 0);
  });

  test('when the stream is closed', async () => {
    const { app, stream } = await openStreamWithSlowCall(7);
    await stream.close();
    await expectStopped(app);
    expect((await stream.post(chat(8, 'Hello'))).status).toBe(404);
  });
});
