import { describe, expect, test } from 'vitest';
import { tools } from '../../src/tools/index.ts';
import { CLIENT_KEY, createTestApp, testEnvironment, testRuntime } from '../support.ts';

const textOf = async (name: string, args: unknown) => (await createTestApp().call(name, args)).content[0]?.text ?? '';

describe('what is said of wrong arguments is bounded', () => {
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
    expect(text).toMatch(/and 30 more/);
  });

  test('an unknown tool is named in part', async () => {
    const { error } = await createTestApp().rpc('tools/call', { name: 'x'.repeat(100_000) });
    expect(error?.message.length).toBeLessThan(400);
  });

  test('as many messages as are allowed', async () => {
    const { isError } = await createTestApp().call('chat_completion', { messages: Array(2_000).fill({ role: 'user', content: 'Hello' }) });
    expect(isError).toBeUndefined();
  });
});

describe('what is nested too deep is refused at the door, with its id', () => {
  const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const message = (value: string) =>
    `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"chat_completion","arguments":{"prompt":"x","json_schema":{"a":${value}}}}}`;

  test.each([64, 1_000, 100_000])('%i levels', async (depth) => {
    const response = await createTestApp().post(message(deep(depth)));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ id: 7, error: { code: -32600, message: expect.stringContaining('64') } });
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

describe('bodies', () => {
  test('one that does not come in time is refused', async () => {
    const app = createTestApp(testEnvironment(), testRuntime({ timeLimit: async () => {} }));
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('{"json')) });
    const headers = { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' };
    const response = await app.app.request(
      new Request('http://localhost/mcp', { method: 'POST', headers, body, duplex: 'half' } as RequestInit),
    );
    expect(response.status).toBe(408);
  });
});

test('long paths are cut in responses and in the log', async () => {
  const app = createTestApp();
  const path = `/${'*'.repeat(15_000)}`;
  for (const headers of [{}, { authorization: `Bearer ${CLIENT_KEY}` }]) {
    const response = await app.app.request(path, { headers });
    expect((await response.text()).length).toBeLessThan(600);
  }
  expect(Math.max(...app.logged.map(({ length }) => length))).toBeLessThan(700);
});

test('published schemas have no lookaround, which OpenAI refuses', async () => {
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
