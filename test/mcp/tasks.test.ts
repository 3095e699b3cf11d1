import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { createTaskSessionFromClient } from '@modelcontextprotocol/ext-tasks/client';
import { GetTaskResultV2Schema } from '@modelcontextprotocol/ext-tasks/core/v2';
import { describe, expect, test } from 'vitest';
import type { Principal } from '../../src/auth/principal.ts';
import type { ShrinkImage } from '../../src/ports.ts';
import {
  CLIENT_KEY,
  createTestApp,
  ENVELOPE,
  type Environment,
  eventually,
  MODERN,
  type RpcAnswer,
  readAnswer,
  type ToolResult,
  testEnvironment,
  testRuntime,
} from '../support.ts';

const CAPABILITY = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
const IMAGE = { prompt: 'a lighthouse' };
const FINISHED = ['completed', 'failed', 'cancelled'];

/** As on Node, and in a Durable Object. */
function createTaskApp(env: Environment = testEnvironment(), runtime = testRuntime({ outlivesClients: true })) {
  const app = createTestApp(env, runtime);
  let lastId = 0;

  /** One request of a client that declares these capabilities. */
  const send = async (...request: Parameters<typeof respond>): Promise<RpcAnswer> => readAnswer(await respond(...request));

  async function respond(method: string, params: Record<string, unknown> = {}, capabilities: object = CAPABILITY): Promise<Response> {
    const _meta = { ...ENVELOPE, 'io.modelcontextprotocol/clientCapabilities': capabilities };
    const name = params.taskId ?? params.name;
    const headers = { 'mcp-protocol-version': MODERN, 'mcp-method': method, ...(typeof name === 'string' && { 'mcp-name': name }) };
    return app.post({ jsonrpc: '2.0', id: ++lastId, method, params: { ...params, _meta } }, headers);
  }

  async function start(name: string, args: object): Promise<Record<string, unknown> & { taskId: string }> {
    const { result } = await send('tools/call', { name, arguments: args });
    expect(result).toMatchObject({ resultType: 'task', taskId: expect.stringMatching(/^job-/), status: 'working' });
    return result as Record<string, unknown> & { taskId: string };
  }

  async function get(taskId: string) {
    const { result } = await send('tasks/get', { taskId });
    expect(result).toMatchObject({ resultType: 'complete', taskId });
    return result as Record<string, unknown> & { status: string; statusMessage?: string; result: ToolResult };
  }

  /** The task when it has ended. */
  async function end(taskId: string) {
    let task = await get(taskId);
    await eventually(async () => {
      task = await get(taskId);
      return FINISHED.includes(task.status);
    });
    return task;
  }

  const creations = async () => (await app.requests()).filter(({ method, path }) => method === 'POST' && !path.includes('_control'));
  return {
    ...app,
    send,
    respond,
    start,
    get,
    end,
    creations,
    received: (count: number) => eventually(async () => (await creations()).length >= count),
  };
}

type App = ReturnType<typeof createTaskApp>;

/** The requester that the extension's authors publish, over the SDK's client. */
async function connect(app: App) {
  const client = new Client({ name: 'test', version: '1' }, { capabilities: CAPABILITY, versionNegotiation: { mode: { pin: MODERN } } });
  const fetchApp = async (url: string | URL, init?: RequestInit) => app.app.request(String(url), init);
  const requestInit = { headers: { authorization: `Bearer ${CLIENT_KEY}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL('http://localhost/mcp'), { fetch: fetchApp, requestInit }));
  return createTaskSessionFromClient(client, {
    endpointId: 'gateway',
    v2RequestFraming: { protocolVersion: MODERN, clientInfo: { name: 'test', version: '1' }, clientCapabilities: CAPABILITY },
    rawDispatch: async (request) => {
      const { method, params } = request as { method: string; params: Record<string, unknown> };
      const { result, error } = await app.send(method, params);
      // biome-ignore lint/suspicious/noExplicitAny: JSON as it came.
      return error ? { kind: 'error', error: error as any } : { kind: 'result', result: result as any };
    },
  });
}

describe('a client of the extension', () => {
  test('sees it, and without storage does not', async () => {
    const { result } = await createTaskApp().send('server/discover');
    expect(result).toMatchObject({ capabilities: CAPABILITY });
    const without = createTaskApp({ ...testEnvironment(), AZURE_STORAGE_CONNECTION_STRING: '' });
    expect((await without.send('server/discover')).result).not.toMatchObject({ capabilities: CAPABILITY });
    expect((await without.send('tasks/get', { taskId: 'job-1' })).error?.code).toBe(-32601);
    const { result: chat } = await without.send('tools/call', { name: 'chat_completion', arguments: { prompt: 'Hello' } });
    expect(chat).toMatchObject({ resultType: 'complete', structuredContent: { text: expect.any(String) } });
  });

  test.each([
    ['generate_image', IMAGE],
    ['synthesize_speech', { input: 'Welcome aboard.' }],
    ['generate_video', { prompt: 'waves' }],
    ['chat_completion', { prompt: 'Hello' }],
  ])('%s: the task is polled to its end, and the result is that of a call', async (tool, args) => {
    const app = createTaskApp();
    await app.setVideos({ jobSeconds: 1 });
    await app.fail({ at: '/', hold: 'all' });
    const session = await connect(app);
    const execution = await session.callTool(tool, args);
    expect(execution.kind).toBe('task');
    await app.received(1);
    await app.release();
    const { outcome } = await execution.settle();
    expect(outcome).toMatchObject({ status: 'completed' });
    const result = (outcome as unknown as { result: ToolResult }).result;
    expect(result.isError).toBeUndefined();
    expect(await app.creations()).toHaveLength(1);
    // Of an app whose fast clock has just started.
    const other = createTaskApp();
    await other.setVideos({ jobSeconds: 1 });
    const direct = await other.call(tool, { ...args, wait_seconds: 600 });
    expect(Object.keys(result.structuredContent).toSorted()).toEqual(Object.keys(direct.structuredContent).toSorted());
    expect(result.content.map(({ type }) => type)).toEqual(direct.content.map(({ type }) => type));
  });

  test('gets the previews for which its call has asked', async () => {
    const shrinkImage: ShrinkImage = async () => ({ bytes: new Uint8Array(1), contentType: 'image/webp' });
    const typesOf = async (args: object) => {
      const app = createTaskApp(testEnvironment(), testRuntime({ outlivesClients: true, shrinkImage }));
      await app.fail({ at: '/images', hold: 'all' });
      const { taskId } = await app.start('generate_image', args);
      await app.release();
      return (await app.end(taskId)).result.content.map(({ type }) => type);
    };
    expect(await typesOf({ ...IMAGE, inline_preview: true })).toEqual(['text', 'image']);
    expect(await typesOf(IMAGE)).toEqual(['text']);
  });

  test('gets a task that says how long it is kept and when to ask', async () => {
    const app = createTaskApp();
    await app.fail({ at: '/images', hold: 'all' });
    const task = await app.start('generate_image', IMAGE);
    expect(task).toMatchObject({ ttlMs: expect.any(Number), pollIntervalMs: expect.any(Number), createdAt: expect.any(String) });
    expect(GetTaskResultV2Schema.safeParse(await app.get(task.taskId)).success).toBe(true);
    await app.release();
    expect(GetTaskResultV2Schema.safeParse(await app.end(task.taskId)).success).toBe(true);
  });

  test('gets the result of calls that are not paid, and what is wrong with arguments, at once', async () => {
    const app = createTaskApp();
    const free = await app.send('tools/call', { name: 'list_supported_models', arguments: {} });
    expect(free.result).toMatchObject({ resultType: 'complete' });
    const invalid = await app.send('tools/call', { name: 'generate_image', arguments: { prompt: '' } });
    expect(invalid.result).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('invalid_input') }] });
    const lost = createTaskApp(testEnvironment({ AZURE_BLOB_CONTAINER: 'there-is-none' }));
    const unusable = await lost.send('tools/call', { name: 'generate_image', arguments: IMAGE });
    expect(unusable.result).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('storage_unusable') }] });
    expect(await lost.creations()).toHaveLength(0);
  });

  test('learns of a failure as a call does', async () => {
    const app = createTaskApp();
    const fault = { at: '/images', status: 500 };
    await app.fail({ ...fault, hold: 'all' }, fault);
    const { taskId } = await app.start('generate_image', IMAGE);
    await app.received(1);
    await app.release();
    const { status, result } = await app.end(taskId);
    const direct = await app.call('generate_image', IMAGE);
    const withoutId = ({ content }: ToolResult) => content[0]?.text.replace(/request .*/, '');
    expect(status).toBe('completed');
    expect(result.isError).toBe(true);
    expect(withoutId(result)).toBe(withoutId(direct));
  });

  test('has a task for each of two calls with the same arguments, and none is given twice', async () => {
    // A client that has not asked for half a minute is taken to have left.
    const app = createTaskApp(testEnvironment(), testRuntime({ outlivesClients: true }, 1));
    await app.fail({ at: '/images', hold: 'all' }, { at: '/images', hold: 'all' });
    const [first, second] = [await app.start('generate_image', IMAGE), await app.start('generate_image', IMAGE)];
    expect(second.taskId).not.toBe(first.taskId);
    await app.received(2);
    await app.release();
    await app.end(first.taskId);
    await app.end(second.taskId);
    expect((await app.call('generate_image', IMAGE)).structuredContent.collected).toBeUndefined();
    expect(await app.creations()).toHaveLength(3);
  });

  test('that no longer asks leaves its result to the next call', async () => {
    const app = createTaskApp();
    await app.fail({ at: '/images', hold: 'all' });
    await app.start('generate_image', IMAGE);
    await app.received(1);
    await app.release();
    // In the time of the test's clock, that is long.
    await eventually(
      async () => (await app.call('list_supported_models', {})) && app.logged.some((line) => line.includes('"event":"job"')),
    );
    await testRuntime().sleep(60_000);
    const next = await app.send('tools/call', { name: 'generate_image', arguments: IMAGE });
    expect(next.result).toMatchObject({ resultType: 'complete', structuredContent: { collected: true } });
    expect(await app.creations()).toHaveLength(1);
  });
});

test('a result that was not taken is collected by the next call', async () => {
  const app = createTaskApp();
  await app.fail({ at: '/images', hold: 'all' });
  const { taskId } = await app.start('generate_image', IMAGE);
  await app.received(1);
  await app.release();
  await eventually(() => app.logged.some((line) => line.includes('"event":"job"')));
  await (await app.respond('tasks/get', { taskId })).body?.cancel();
  await testRuntime().sleep(60_000);
  expect((await app.call('generate_image', IMAGE)).structuredContent).toMatchObject({ collected: true });
  expect(await app.end(taskId)).toMatchObject({ status: 'completed', result: { structuredContent: { images: [expect.anything()] } } });
  expect(await app.creations()).toHaveLength(1);
});

describe('tasks/cancel', () => {
  test('stops what was not sent, as before a retry', async () => {
    const app = createTaskApp();
    await app.fail({ at: '/audio', status: 503, hold: 'all' });
    const { taskId } = await app.start('synthesize_speech', { input: 'Welcome aboard.' });
    await app.received(1);
    const { result } = await app.send('tasks/cancel', { taskId });
    expect(result).toMatchObject({ resultType: 'complete' });
    expect(result).not.toHaveProperty('status');
    await app.release();
    expect(await app.end(taskId)).toMatchObject({ status: 'cancelled' });
    expect((await app.send('tasks/cancel', { taskId })).result).toMatchObject({ resultType: 'complete' });
    expect(await app.creations()).toHaveLength(1);
  });

  test('does not stop what is paid, and says so', async () => {
    const app = createTaskApp();
    await app.fail({ at: '/images', hold: 'all' });
    const { taskId } = await app.start('generate_image', IMAGE);
    await app.received(1);
    await app.send('tasks/cancel', { taskId });
    expect(await app.get(taskId)).toMatchObject({ status: 'working', statusMessage: expect.stringContaining('billed') });
    await app.release();
    const { status, result } = await app.end(taskId);
    expect(status).toBe('completed');
    expect(result.structuredContent).toMatchObject({ images: [{ url: expect.any(String) }] });
  });

  test('of a video that has started leaves it to be collected', async () => {
    const app = createTaskApp();
    const { taskId } = await app.start('generate_video', { prompt: 'waves' });
    await eventually(() => app.logged.some((line) => line.includes('video_started')));
    await app.send('tasks/cancel', { taskId });
    expect((await app.end(taskId)).result.structuredContent).toMatchObject({ video: { url: expect.any(String) } });
  });
});

test('tasks/update is acknowledged, as no tool asks for input', async () => {
  const app = createTaskApp();
  const { taskId } = await app.start('generate_image', IMAGE);
  const { result } = await app.send('tasks/update', { taskId, inputResponses: { name: { action: 'accept' } } });
  expect(result).toMatchObject({ resultType: 'complete' });
  expect(result).not.toHaveProperty('status');
  await app.end(taskId);
});

const METHODS = ['tasks/get', 'tasks/cancel', 'tasks/update'];

test.each(METHODS)('%s: an unknown task, and that of another principal, is -32602', async (method) => {
  const app = createTaskApp();
  const { taskId } = await app.start('generate_image', IMAGE);
  const unknown = { taskId: `${taskId.slice(0, -8)}00000000`, inputResponses: {} };
  for (const id of [unknown.taskId, 'job-1', 'x'.repeat(10_000)])
    expect((await app.send(method, { ...unknown, taskId: id })).error).toMatchObject({
      code: -32602,
      message: expect.stringContaining('Task'),
    });
  const other: Principal = { id: 'other', name: 'other', limits: {} };
  const _meta = { ...ENVELOPE, 'io.modelcontextprotocol/clientCapabilities': CAPABILITY };
  const message = { jsonrpc: '2.0', id: 1, method, params: { taskId, inputResponses: {}, _meta } };
  const headers = { 'content-type': 'application/json', 'mcp-protocol-version': MODERN, 'mcp-method': method, 'mcp-name': taskId };
  const request = new Request('http://localhost/mcp', { method: 'POST', headers });
  const response = await app.gateway.streamableHttp(request, message, { requestId: 'r', principal: other });
  expect((await readAnswer(response)).error).toMatchObject({ code: -32602 });
  await app.end(taskId);
});

test.each(METHODS)('%s: a client without the extension is refused', async (method) => {
  const { error } = await createTaskApp().send(method, { taskId: 'job-1', inputResponses: {} }, {});
  expect(error).toMatchObject({ code: -32021, data: { requiredCapabilities: CAPABILITY } });
});

test('a client without the extension gets a result', async () => {
  const { result } = await createTaskApp().send('tools/call', { name: 'generate_image', arguments: IMAGE }, {});
  expect(result).toMatchObject({ resultType: 'complete', structuredContent: { images: [expect.anything()] } });
});

describe('another process', () => {
  test('knows the task, and reports an interruption', async () => {
    const env = testEnvironment();
    const [first, second] = [createTaskApp(env), createTaskApp(env)];
    await first.fail({ at: '/images', hold: 'all' });
    const { taskId } = await first.start('generate_image', IMAGE);
    await first.received(1);
    expect(await second.get(taskId)).toMatchObject({ status: 'working' });
    await first.gateway.jobs?.interruptAll();
    const { status, result } = await second.get(taskId);
    expect(status).toBe('completed');
    expect(result).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('job_interrupted') }] });
    await first.release();
  });

  test('continues a video whose process is gone', async () => {
    const env = testEnvironment();
    const first = createTaskApp(env);
    await first.setVideos({ jobSeconds: 2 });
    const { taskId } = await first.start('generate_video', { prompt: 'waves' });
    await eventually(() => first.logged.some((line) => line.includes('video_started')));
    // To this one, the lease has run out.
    const { now, ...runtime } = testRuntime({ outlivesClients: true });
    const later = createTaskApp(env, { ...runtime, now: () => now() + 60_000 });
    const { result } = await later.end(taskId);
    expect(result.structuredContent).toMatchObject({ status: 'completed', video: { url: expect.any(String) } });
    expect((await later.creations()).filter(({ path }) => path.endsWith('/videos'))).toHaveLength(1);
  });
});
