import { describe, expect, test, vi } from 'vitest';
import { tools } from '../../src/tools/index.ts';
import { CLIENT_KEY, createTestApp, testEnvironment, testRuntime } from '../support.ts';

const textOf = async (name: string, args: unknown) => (await createTestApp().call(name, args)).content[0]?.text ?? '';

describe('error messages about invalid arguments are bounded', () => {
  test.each([
    ['100,000 empty messages', 'chat_completion', { messages: Array(100_000).fill({}) }],
    ['2,000 empty messages', 'chat_completion', { messages: Array(2_000).fill({}) }],
    ['messages with a million parts', 'chat_completion', { messages: Array(1_000).fill({ role: 'user', content: Array(1_000).fill(0) }) }],
    ['300,000 unknown names', 'generate_image', Object.fromEntries(Array.from({ length: 300_000 }, (_, index) => [index, 0]))],
    ['2,000 unknown names', 'generate_image', Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`name${index}`, 0]))],
    ['a name of 150 KB', 'generate_image', { prompt: 'x', ['*'.repeat(150_000)]: 1 }],
    ['names of 60 characters, deep in each other', 'chat_completion', { prompt: 'x', metadata: { ['x'.repeat(60_000)]: 1 } }],
  ])('%s', async (_, name, args) => {
    const text = await textOf(name, args);
    expect(text).toContain('(invalid_input, ');
    expect(text.length).toBeLessThan(4_500);
  });

  test('the first ten problems are named, and the rest counted', async () => {
    const text = await textOf('chat_completion', { messages: Array(20).fill({}) });
    expect(text).toContain('messages[0].role');
    expect(text).toMatch(/and 10 more/);
  });

  test('an unknown tool name is truncated', async () => {
    const { error } = await createTestApp().rpc('tools/call', { name: 'x'.repeat(100_000) });
    expect(error?.message.length).toBeLessThan(400);
  });

  test('as many messages as are allowed', async () => {
    const { isError } = await createTestApp().call('chat_completion', { messages: Array(2_000).fill({ role: 'user', content: 'Hello' }) });
    expect(isError).toBeUndefined();
  });
});

describe('excessive nesting is rejected before the call, with its id', () => {
  const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const message = (value: string) =>
    `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"chat_completion","arguments":{"prompt":"x","json_schema":{"a":${value}}}}}`;

  test.each([64, 1_000, 100_000])('%i levels', async (depth) => {
    const response = await createTestApp().post(message(deep(depth)));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ id: 7, error: { code: -32600, message: expect.stringContaining('64') } });
  });

  test.each([
    ['two million levels that are never closed', '['.repeat(2_000_000), null],
    ['deep objects, with the id after them', `{"params":${'{"a":'.repeat(65)}1${'}'.repeat(65)},"id":"late"}`, 'late'],
    ['brackets after a string that ends in a backslash', `{"id":3,"a":"[[\\\\","b":${deep(70)}}`, 3],
  ])('%s', async (_, body, id) => {
    const response = await createTestApp().post(body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ id, error: { code: -32600 } });
  });

  test('brackets in strings are none', async () => {
    const args = JSON.stringify({ prompt: `${'[{'.repeat(1_000)} \\" ${'['.repeat(100)} "` });
    const body = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"chat_completion","arguments":${args}}}`;
    expect((await createTestApp().post(body)).status).toBe(200);
  });

  test('59 levels in arguments are fine', async () => {
    expect((await createTestApp().post(message(deep(59)))).status).toBe(200);
  });

  test('in a message to a legacy session', async () => {
    const { app } = createTestApp();
    const headers = { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' };
    const response = await app.request('/messages?sessionId=x', { method: 'POST', headers, body: message(deep(50_000)) });
    expect(response.status).toBe(400);
  });
});

describe('identifiers, which responses repeat, are bounded', () => {
  const long = 'x'.repeat(1_025);
  test.each<[string, object, unknown]>([
    ['method', { id: 5, method: long }, 5],
    ['id', { id: long, method: 'ping' }, null],
    ['progressToken', { id: 5, method: 'ping', params: { _meta: { progressToken: long } } }, 5],
  ])('%s', async (name, message, id) => {
    const response = await createTestApp().post({ jsonrpc: '2.0', ...message });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ id, error: { code: -32600, message: expect.stringContaining(`${name} is longer`) } });
  });
});

describe('bodies', () => {
  test.each([{}, { 'content-length': '1000' }])('one that does not arrive in time is rejected: %j', async (declared) => {
    const app = createTestApp(testEnvironment(), testRuntime({ timeLimit: async () => {} }));
    const cancel = vi.fn();
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('{"json')), cancel });
    const headers = { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json', ...declared };
    const response = await app.app.request(
      new Request('http://localhost/mcp', { method: 'POST', headers, body, duplex: 'half' } as RequestInit),
    );
    expect(response.status).toBe(408);
    expect(response.headers.get('connection')).toBe('close');
    // With the connection, a body of declared length ends, too.
    if (!('content-length' in declared)) await vi.waitUntil(() => cancel.mock.calls.length > 0);
  });
});

test('long paths are truncated in responses and in the log', async () => {
  const app = createTestApp();
  const path = `/${'*'.repeat(15_000)}`;
  for (const headers of [{}, { authorization: `Bearer ${CLIENT_KEY}` }]) {
    const response = await app.app.request(path, { headers });
    expect((await response.text()).length).toBeLessThan(600);
  }
  expect(Math.max(...app.logged.map(({ length }) => length))).toBeLessThan(700);
});

test('published schemas have no lookaround, which OpenAI rejects', async () => {
  const { result } = await createTestApp().rpc('tools/list');
  const text = JSON.stringify(result);
  expect(result?.tools).toHaveLength(tools.length);
  expect(text).not.toMatch(/\(\?[=!<]/);
});

test.each([
  ['generate_video', { video_id: 'a..b' }, 'video_id'],
  ['chat_completion', { prompt: 'x', model: '..' }, 'model'],
])('what the published pattern cannot say is checked all the same: %s %j', async (name, args, argument) => {
  expect(await textOf(name, args)).toContain(`${argument}: `);
});

test('calls over the concurrency limit fail as busy and are not forwarded', async () => {
  const app = createTestApp(testEnvironment(), testRuntime({ maxCalls: 2 }));
  await app.fail({ delayMs: 300 }, { delayMs: 300 });
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'chat_completion', arguments: { prompt: 'Hello' } } };
  const responses = await Promise.all([1, 2, 3, 4].map(() => app.post(message)));
  expect(responses.map(({ status }) => status).sort()).toEqual([200, 200, 503, 503]);
  const refused = responses.find(({ status }) => status === 503);
  expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await refused?.json()).toMatchObject({ error: { code: 'busy' } });
  await Promise.all(responses.filter(({ status }) => status === 200).map((response) => response.text()));
  expect(await app.requests()).toHaveLength(2);
  expect((await app.post(message)).status).toBe(200);
});
