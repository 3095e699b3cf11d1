import { describe, expect, test } from 'vitest';
import { tools } from '../../src/tools/index.ts';
import { CLIENT_KEY, createTestApp, ENVELOPE, MODERN, readAnswer } from '../support.ts';

describe('2025-era requests', () => {
  test.each(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'])('initialize with %s', async (protocolVersion) => {
    const { result } = await createTestApp().rpc('initialize', {
      protocolVersion,
      capabilities: {},
      clientInfo: { name: 'test', version: '1' },
    });
    expect(result).toMatchObject({
      protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: 'openai-mcp-gateway', version: expect.stringMatching(/^\d/) },
      instructions: expect.stringContaining('list_supported_models'),
    });
  });

  test('ping, and notifications with 202', async () => {
    const app = createTestApp();
    expect((await app.rpc('ping')).result).toEqual({});
    expect((await app.post({ jsonrpc: '2.0', method: 'notifications/initialized' })).status).toBe(202);
  });

  test('an unknown method and an unknown tool are JSON-RPC errors', async () => {
    const app = createTestApp();
    expect((await app.rpc('no/such')).error).toMatchObject({ code: -32601 });
    expect((await app.rpc('tools/call', { name: 'no_such_tool', arguments: {} })).error).toMatchObject({
      code: -32602,
      message: expect.stringContaining('chat_completion'),
    });
  });

  test.each([['*/*'], [undefined], ['Application/JSON, Text/Event-Stream']])('accepts clients with Accept %s', async (accept) => {
    const { app } = createTestApp();
    const headers = { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json', ...(accept && { accept }) };
    const response = await app.request('/mcp', {
      method: 'POST',
      headers,
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    });
    expect(response.status).toBe(200);
  });

  test('rejects malformed tools/call requests', async () => {
    const answer = await createTestApp().rpc('tools/call', { arguments: {} });
    expect(answer.error).toEqual({ code: -32602, message: expect.stringContaining('params.name') });
  });

  test('concurrent requests get their own responses', async () => {
    const app = createTestApp();
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const params = { name: 'chat_completion', arguments: { prompt: `question ${index}` } };
        return readAnswer(await app.post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
      }),
    );
    answers.forEach(({ result }, index) => {
      expect(result?.structuredContent).toMatchObject({ text: `The stand-in was asked: question ${index}` });
    });
  });
});

describe('2026-era requests', () => {
  const app = createTestApp();
  const modern = async (method: string, params: object = {}, name?: string) => {
    const headers = { 'mcp-protocol-version': MODERN, 'mcp-method': method, ...(name && { 'mcp-name': name }) };
    return app.post({ jsonrpc: '2.0', id: 7, method, params: { ...params, _meta: ENVELOPE } }, headers);
  };

  test('server/discover', async () => {
    expect((await readAnswer(await modern('server/discover'))).result).toMatchObject({
      supportedVersions: [MODERN],
      capabilities: { tools: {} },
    });
  });

  test('tools/list declares how long it may be cached', async () => {
    expect((await readAnswer(await modern('tools/list'))).result).toMatchObject({
      resultType: 'complete',
      ttlMs: 300_000,
      cacheScope: 'private',
    });
  });

  test('a fast call returns plain JSON', async () => {
    const response = await modern('tools/call', { name: 'chat_completion', arguments: { prompt: 'Hello' } }, 'chat_completion');
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(await response.json()).toMatchObject({
      id: 7,
      result: { resultType: 'complete', structuredContent: { text: 'The stand-in was asked: Hello' } },
    });
  });

  test('an unknown revision is rejected with the supported ones', async () => {
    const response = await app.post(
      {
        jsonrpc: '2.0',
        id: 7,
        method: 'tools/list',
        params: { _meta: { ...ENVELOPE, 'io.modelcontextprotocol/protocolVersion': '2099-01-01' } },
      },
      { 'mcp-protocol-version': '2099-01-01', 'mcp-method': 'tools/list' },
    );
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { data: { supported: expect.arrayContaining([MODERN]) } } });
  });
});

type Definition = {
  name: string;
  title: string;
  description: string;
  annotations: object;
  inputSchema: { properties: Record<string, { description?: string }> };
  outputSchema: object;
};

describe('tool definitions', () => {
  const listed = createTestApp()
    .rpc('tools/list')
    .then(({ result }) => (result?.tools ?? []) as Definition[]);

  test('are those of src/tools, in order', async () => {
    expect((await listed).map(({ name }) => name)).toEqual(tools.map(({ name }) => name));
  });

  test.each(tools.map(({ name }) => name))('%s has a title, a description, annotations and closed, described schemas', async (name) => {
    const definition = (await listed).find((tool) => tool.name === name) as Definition;
    expect(definition.title).toMatch(/\w/);
    expect(definition.description.length).toBeGreaterThan(40);
    // The others have the defaults of the specification.
    const hints = { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true, ...definition.annotations };
    expect(Object.values(hints)).toEqual([true, true, true, true].map(() => expect.any(Boolean)));
    expect(Object.keys(hints)).toHaveLength(4);
    expect(hints.readOnlyHint || !hints.destructiveHint).toBe(true);
    expect(definition.inputSchema).toMatchObject({ type: 'object', additionalProperties: false });
    expect(definition.outputSchema).toMatchObject({ type: 'object' });
    for (const [argument, schema] of Object.entries(definition.inputSchema.properties)) {
      expect(schema.description, argument).toMatch(/\w/);
    }
    expect(JSON.stringify(definition)).not.toContain('$schema');
  });
});
