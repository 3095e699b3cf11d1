import { describe, expect, test } from 'vitest';
import { createTestApp, ENVELOPE, MODERN, testEnvironment } from '../support.ts';

type App = ReturnType<typeof createTestApp>;

/** What a client sees of a response, whatever its id. */
async function seen(response: Response) {
  const { id, ...rest } = (await response.json()) as { id: unknown };
  const headers = [...response.headers].filter(([name]) => name !== 'x-request-id' && name !== 'content-length');
  return { id, rest, status: response.status, headers };
}

const legacy = { 'mcp-protocol-version': '2025-11-25' };
const modern = { 'mcp-protocol-version': MODERN, 'mcp-method': 'tools/list' };

describe('a list that is remembered', () => {
  const list = (app: App, id: unknown, headers: Record<string, string>, params?: object) =>
    app.post({ jsonrpc: '2.0', id, method: 'tools/list', ...(params && { params }) }, headers);

  test.each<[string, Record<string, string>, object | undefined]>([
    ['2025-11-25', legacy, undefined],
    ['2025-11-25 with parameters', legacy, {}],
    ['no revision', {}, undefined],
    ['2026-07-28', modern, { _meta: ENVELOPE }],
  ])('is what the SDK has answered, with the id of its own request: %s', async (_, headers, params) => {
    const app = createTestApp();
    const first = await seen(await list(app, 1, headers, params));
    expect(first.rest).toMatchObject({ result: { tools: expect.any(Array) } });
    for (const id of [1, 'x"y\\', Number.MAX_SAFE_INTEGER, -5, 'é'])
      expect(await seen(await list(app, id, headers, params))).toEqual({ ...first, id });
  });

  test.each<[string, number, Record<string, string>, object]>([
    ['an unknown revision', 400, { 'mcp-protocol-version': '1999-01-01' }, {}],
    ['a header that contradicts the body', 400, { ...modern, 'mcp-method': 'tools/call' }, { params: { _meta: ENVELOPE } }],
    ['an Accept header that allows no stream', 406, { ...legacy, accept: 'application/json' }, {}],
    ['no JSON-RPC version', 400, legacy, { jsonrpc: undefined }],
    ['a fraction as id', 400, legacy, { id: 1.5 }],
  ])('does not hide %s', async (_, status, headers, change) => {
    const app = createTestApp();
    const send = () => app.post({ jsonrpc: '2.0', id: 1, method: 'tools/list', ...change }, headers);
    await list(app, 1, legacy);
    await list(app, 1, modern, { _meta: ENVELOPE });
    for (let times = 0; times < 2; times++) expect((await send()).status).toBe(status);
  });

  test('is not given for what has no id, or asks for progress', async () => {
    const app = createTestApp();
    await list(app, 1, legacy);
    expect((await app.post({ jsonrpc: '2.0', method: 'tools/list' }, legacy)).status).toBe(202);
    const streamed = await list(app, 2, legacy, { _meta: { progressToken: 1 } });
    expect(streamed.headers.get('content-type')).toContain('text/event-stream');
  });

  test('clients whose parameters differ, more than are remembered, get their own lists', async () => {
    const app = createTestApp();
    for (let client = 0; client < 200; client++) {
      const meta = { ...ENVELOPE, 'io.modelcontextprotocol/clientInfo': { name: `client-${client}`, version: '1' } };
      const { id, status } = await seen(await list(app, client, modern, { _meta: meta }));
      expect({ id, status }).toEqual({ id: client, status: 200 });
    }
  });
});

describe('a plain call', () => {
  test.each<[string, object]>([
    ['a result', { name: 'chat_completion', arguments: { prompt: 'Hello' } }],
    ['characters outside Latin-1', { name: 'chat_completion', arguments: { prompt: 'Grüße, 你好, 🚢' } }],
    ['no arguments', { name: 'list_supported_models' }],
    ['an unknown tool', { name: 'no_such_tool', arguments: {} }],
    ['invalid arguments', { name: 'chat_completion', arguments: { prompt: 5 } }],
  ])('is answered as the SDK would answer it: %s', async (_, params) => {
    const app = createTestApp(testEnvironment({ OPENAI_CHAT_MODEL: 'gpt-6-luna' }));
    const send = (more: object) => app.post({ jsonrpc: '2.0', id: 'a', method: 'tools/call', params: { ...params, ...more } }, legacy);
    const withoutIds = (value: object) => JSON.stringify(value).replaceAll(/(chatcmpl-)?[0-9a-f-]{36}/g, '');
    // Metadata, even when it is empty, is the SDK's business.
    expect(withoutIds(await seen(await send({})))).toBe(withoutIds(await seen(await send({ _meta: {} }))));
  });

  test('a thousand at once with the same id get their own answers', async () => {
    const app = createTestApp();
    const ask = async (canary: number) => {
      const params = { name: 'chat_completion', arguments: { prompt: `canary-${canary}` } };
      const { rest } = await seen(await app.post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }, legacy));
      expect(rest).toMatchObject({ result: { structuredContent: { text: expect.stringMatching(new RegExp(`canary-${canary}$`)) } } });
    };
    await Promise.all(Array.from({ length: 1_000 }, (_, canary) => ask(canary)));
  });
});
