import { describe, expect, test } from 'vitest';
import { connectClient } from '../mcp/sdk-client.ts';
import { createTestApp, ENVELOPE, eventually, MODERN, readAnswer, type ToolResult, testEnvironment, testRuntime } from '../support.ts';

const ALICE = 'key-of-alice-in-the-tests';
const ALICES_NEXT = 'the-next-key-of-alice-in-the-tests';
const BOB = 'key-of-bob-in-the-tests';
const IMAGE = { prompt: 'a lighthouse', size: '64x64' };
const LEGACY = { 'mcp-protocol-version': '2025-11-25' };
const TASKS = { ...ENVELOPE, 'io.modelcontextprotocol/clientCapabilities': { extensions: { 'io.modelcontextprotocol/tasks': {} } } };

/** An app with these keys, and its callers by name. */
function setUp(keys: object = { alice: [ALICE, ALICES_NEXT], bob: BOB }, env = testEnvironment(), runtime = testRuntime({}, 1)) {
  const app = createTestApp({ ...env, MCP_SERVER_API_KEYS: JSON.stringify(keys) }, { ...runtime, outlivesClients: true });
  const as = (key: string) => {
    const authorization = `Bearer ${key}`;
    const rpc = async (method: string, params: object = {}, headers: Record<string, string> = LEGACY, id: unknown = 1) =>
      readAnswer(await app.post({ jsonrpc: '2.0', id, method, params }, { authorization, ...headers }));
    const call = async (name: string, args: object, id?: unknown) =>
      (await rpc('tools/call', { name, arguments: args }, LEGACY, id)).result as ToolResult | undefined;
    const task = (method: string, params: Record<string, unknown>) =>
      rpc(
        method,
        { ...params, _meta: TASKS },
        { 'mcp-protocol-version': MODERN, 'mcp-method': method, 'mcp-name': String(params.taskId ?? params.name) },
      );
    const uris = async () => ((await rpc('resources/list')).result as { resources: { uri: string }[] }).resources.map(({ uri }) => uri);
    return { authorization, rpc, call, task, uris };
  };
  return { ...app, alice: as(ALICE), next: as(ALICES_NEXT), bob: as(BOB) };
}

describe('a principal with tools of its own', () => {
  const keys = { alice: { key: ALICE, tools: ['chat_completion', 'list_supported_models'] }, bob: BOB };

  test.each([['legacy' as const], [{ pin: MODERN }]])('sees no others, with clients in mode %j', async (mode) => {
    const app = setUp(keys);
    // Remembered lists are not those of another.
    for (let times = 0; times < 2; times++) {
      const [alices, bobs] = await Promise.all([connectClient(app, mode, ALICE), connectClient(app, mode, BOB)]);
      expect((await bobs.listTools()).tools.length).toBeGreaterThan(5);
      expect((await alices.listTools()).tools.map(({ name }) => name)).toEqual(keys.alice.tools);
    }
  });

  test.each([['legacy' as const], [{ pin: MODERN }]])('calls no others, and spends nothing, with clients in mode %j', async (mode) => {
    const app = setUp(keys);
    const client = await connectClient(app, mode, ALICE);
    const refusal = /Unknown tool generate_image; available: chat_completion, list_supported_models$/;
    await expect(client.callTool({ name: 'generate_image', arguments: IMAGE })).rejects.toThrow(refusal);
    expect((await app.alice.rpc('tools/call', { name: 'generate_image', arguments: IMAGE })).error?.message).toMatch(refusal);
    expect(await app.requests()).toEqual([]);
    const { content } = await client.callTool({ name: 'chat_completion', arguments: { prompt: 'Hello' } });
    expect(content).toMatchObject([{ text: expect.stringContaining('Hello') }]);
  });

  test('has no object for the job of a call that it may not make', async () => {
    const { gateway } = setUp(keys);
    const message = { method: 'tools/call', params: { name: 'generate_image', arguments: IMAGE } };
    const principal = (tools?: string[]) => ({ id: 'alice', name: 'alice', limits: { tools } });
    expect(await gateway.placeOf(message, principal())).toBeDefined();
    expect(await gateway.placeOf(message, principal(['chat_completion']))).toBeUndefined();
  });

  test('has its media as resources only if it may list them', async () => {
    const env = testEnvironment();
    const one = setUp({ alice: ALICE }, env);
    await one.alice.call('generate_image', IMAGE);
    await eventually(async () => (await one.alice.uris()).length === 2);
    const [view, uri] = await one.alice.uris();
    const other = setUp({ alice: { key: ALICE, tools: ['generate_image'] } }, env);
    expect(await other.alice.uris()).toEqual([view]);
    expect((await one.alice.rpc('resources/read', { uri })).error).toBeUndefined();
    expect((await other.alice.rpc('resources/read', { uri })).error).toBeDefined();
  });

  test('has the tasks of no tool that was taken away', async () => {
    const env = testEnvironment();
    const one = setUp({ alice: ALICE }, env);
    const { taskId } = (await one.alice.task('tools/call', { name: 'generate_image', arguments: IMAGE })).result ?? {};
    expect((await one.alice.task('tasks/get', { taskId })).error).toBeUndefined();
    const other = setUp({ alice: { key: ALICE, tools: ['list_media'] } }, env);
    expect((await other.alice.task('tasks/get', { taskId })).error?.message).toMatch(/unknown/);
  });
});

describe('keys', () => {
  test('of one name are the same principal: a call is collected with the next key', async () => {
    const app = setUp();
    const first = await app.alice.call('generate_image', { ...IMAGE, idempotency_key: 'one' });
    const again = await app.next.call('generate_image', { ...IMAGE, idempotency_key: 'one' });
    expect(again?.structuredContent).toMatchObject({ collected: true, images: [{ url: first?.structuredContent.images[0].url }] });
    expect(await app.requests()).toHaveLength(1);
    expect(app.logged.filter((line) => line.includes('"tool_call"')).every((line) => line.includes('"principal":"alice"'))).toBe(true);
    expect(app.logged.join()).not.toMatch(new RegExp(`${ALICE}|${ALICES_NEXT}`));
  });

  test('stop when they expire, while the process runs', async () => {
    const runtime = testRuntime({}, 1);
    const clock = { nowMs: Date.UTC(2027, 0, 31, 23, 59, 59, 999) };
    const app = setUp({ alice: [{ key: ALICE, expires: '2027-01-31' }, ALICES_NEXT] }, testEnvironment(), {
      ...runtime,
      now: () => clock.nowMs,
    });
    const list = (authorization: string) => app.post({ jsonrpc: '2.0', id: 1, method: 'tools/list' }, { authorization });
    expect((await list(app.alice.authorization)).status).toBe(200);
    clock.nowMs++;
    const refused = await list(app.alice.authorization);
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_token", error_description="[^"]*has expired[^"]*"$/);
    expect(await refused.json()).toMatchObject({ error: { code: 'unauthorized', message: expect.stringContaining('has expired') } });
    expect(app.logged.join()).toMatch(/"bearer_refused".*"reason":"expired"/);
    expect((await list(app.next.authorization)).status).toBe(200);
  });
});

describe('what one principal has, another cannot reach', () => {
  test('jobs, and idempotency keys', async () => {
    const app = setUp();
    await app.fail({ at: '/images', hold: 'all' });
    const args = { ...IMAGE, idempotency_key: 'the-same' };
    const started = await app.alice.call('generate_image', { ...args, wait_seconds: 0 });
    const { job_id } = started?.structuredContent ?? {};
    expect(job_id).toMatch(/^job-/);
    expect((await app.bob.call('generate_image', { job_id }))?.content[0]?.text).toContain('(job_unknown');
    await app.release();
    const bobs = await app.bob.call('generate_image', args);
    expect(bobs?.structuredContent.collected).toBeUndefined();
    expect(await app.requests()).toHaveLength(2);
    const alices = await app.alice.call('generate_image', { job_id });
    expect(alices?.structuredContent.images[0].url).not.toBe(bobs?.structuredContent.images[0].url);
  });

  test('media, in lists and resources', async () => {
    const app = setUp();
    await app.alice.call('generate_image', IMAGE);
    await eventually(async () => (await app.alice.uris()).length === 2);
    expect((await app.bob.call('list_media', {}))?.structuredContent.media).toEqual([]);
    expect(await app.bob.uris()).toHaveLength(1);
    const [, uri] = await app.alice.uris();
    expect((await app.alice.rpc('resources/read', { uri })).error).toBeUndefined();
    expect((await app.bob.rpc('resources/read', { uri })).error).toBeDefined();
  });

  test('uploads', async () => {
    const app = setUp();
    const { upload_url } = (await app.alice.call('create_upload', {}))?.structuredContent ?? {};
    const gif = Uint8Array.fromBase64('R0lGODlhAQABAAAAACwAAAAAAQABAAACAkQBADs=');
    expect((await app.app.request(upload_url, { method: 'PUT', body: gif })).status).toBe(201);
    await eventually(async () => (await app.alice.call('list_media', {}))?.structuredContent.media.length === 1);
    expect((await app.bob.call('list_media', {}))?.structuredContent.media).toEqual([]);
  });

  test('sessions', async () => {
    const app = setUp();
    const stream = await app.app.request('/sse', { headers: { authorization: app.alice.authorization, accept: 'text/event-stream' } });
    const reader = stream.body?.getReader();
    const inbox = /data: (\S+)/.exec(new TextDecoder().decode((await reader?.read())?.value))?.[1] ?? '';
    const body = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' });
    const post = async ({ authorization }: typeof app.alice) =>
      (await app.app.request(inbox, { method: 'POST', headers: { authorization, 'content-type': 'application/json' }, body })).status;
    expect([await post(app.bob), await post(app.alice), await post(app.next)]).toEqual([404, 202, 202]);
    await reader?.cancel();
  });

  test('tasks', async () => {
    const app = setUp();
    await app.fail({ at: '/images', hold: 'all' });
    const { taskId } = (await app.alice.task('tools/call', { name: 'generate_image', arguments: IMAGE })).result ?? {};
    for (const method of ['tasks/get', 'tasks/cancel', 'tasks/update'])
      expect((await app.bob.task(method, { taskId })).error).toMatchObject({ code: -32602, message: expect.stringContaining('unknown') });
    await app.release();
    const status = async () => (await app.alice.task('tasks/get', { taskId })).result?.status;
    await eventually(async () => (await status()) !== 'working');
    expect(await status()).toBe('completed');
  });

  test('calls, to cancel them', async () => {
    const app = setUp();
    await app.fail({ at: '/images', hold: 'all' });
    const calling = app.alice.call('generate_image', IMAGE, 'call-1');
    await eventually(async () => (await app.requests()).length === 1);
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'call-1' } };
    expect((await app.post(cancel, { authorization: app.bob.authorization, ...LEGACY })).status).toBe(202);
    await app.release();
    expect((await calling)?.structuredContent.images).toHaveLength(1);
  });
});
