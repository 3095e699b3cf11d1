import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { parseBuffer } from 'music-metadata';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { CLIENT_KEY, recordedRequests, setVideos, type ToolResult, testEnvironment } from '../support.ts';

type ConnectedClient = {
  protocol: string | undefined;
  server: { name: string; version: string } | undefined;
  listTools: () => Promise<{ tools: { name: string }[] }>;
  callTool: (call: { name: string; arguments: Record<string, unknown> }) => Promise<unknown>;
  close: () => Promise<void>;
};

const requestInit = (key: string) => ({ requestInit: { headers: { Authorization: `Bearer ${key}` } } });

const clients: Record<string, (url: URL, key: string) => Promise<ConnectedClient>> = {
  '@modelcontextprotocol/sdk, Streamable HTTP': async (url, key) => {
    const client = new LegacyClient({ name: 'legacy', version: '1' });
    const transport = new LegacyTransport(url, requestInit(key));
    await client.connect(transport as Transport);
    return {
      protocol: transport.protocolVersion,
      server: client.getServerVersion(),
      listTools: () => client.listTools(),
      callTool: (call) => client.callTool(call),
      close: () => client.close(),
    };
  },
  '@modelcontextprotocol/client, pinned to 2026-07-28': async (url, key) => {
    const client = new ModernClient({ name: 'modern', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
    await client.connect(new ModernTransport(url, requestInit(key)));
    return {
      protocol: client.getNegotiatedProtocolVersion(),
      server: client.getServerVersion(),
      listTools: () => client.listTools(),
      callTool: (call) => client.callTool(call),
      close: () => client.close(),
    };
  },
};

const runtimes: Record<string, (env: Record<string, string>) => Promise<RunningGateway>> = {
  Node: startNodeGateway,
  workerd: startWorkerdGateway,
};

describe.each(Object.keys(runtimes))('%s', (runtime) => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    const env = testEnvironment();
    await setVideos(env.OPENAI_API_KEY ?? '', { jobSeconds: 3 });
    gateway = await (runtimes[runtime] as typeof startNodeGateway)(env);
  });
  afterAll(() => gateway.close());

  describe.each(Object.keys(clients))('%s', (name) => {
    const connect = clients[name] as (url: URL, key: string) => Promise<ConnectedClient>;
    let client: ConnectedClient;
    beforeAll(async () => {
      client = await connect(new URL(`${gateway.url}/mcp`), CLIENT_KEY);
    });
    afterAll(() => client.close());
    const call = async (tool: string, args: Record<string, unknown>) =>
      (await client.callTool({ name: tool, arguments: args })) as ToolResult;

    test('connects with its own protocol revision', () => {
      expect(client.protocol).toBe(name.includes('2026') ? '2026-07-28' : '2025-11-25');
      expect(client.server).toMatchObject({ name: 'openai-mcp-gateway' });
    });

    test('lists the tools', async () => {
      expect((await client.listTools()).tools.map((tool) => tool.name)).toContain('chat_completion');
    });

    test('chat_completion', async () => {
      expect((await call('chat_completion', { prompt: 'Hello' })).structuredContent.text).toBe('The stand-in was asked: Hello');
    });

    test('generate_image: an anonymous GET of the URL gives an image of the asked size', async () => {
      const { structuredContent } = await call('generate_image', { prompt: 'a lamp', size: '256x128', output_format: 'webp' });
      const response = await fetch(structuredContent.images[0].url);
      const decoded = await sharp(await response.arrayBuffer()).metadata();
      expect(decoded).toMatchObject({ format: 'webp', width: 256, height: 128 });
    });

    test('synthesize_speech: an anonymous GET of the URL gives sound', async () => {
      const { structuredContent } = await call('synthesize_speech', { input: 'Hello', response_format: 'opus' });
      const { format } = await parseBuffer(new Uint8Array(await (await fetch(structuredContent.url)).arrayBuffer()));
      expect(format).toMatchObject({ container: 'Ogg', codec: 'Opus' });
    });

    test('generate_video: an anonymous GET of the URL gives a video', async () => {
      const { structuredContent } = await call('generate_video', { prompt: 'a lamp' });
      const { format } = await parseBuffer(new Uint8Array(await (await fetch(structuredContent.video.url)).arrayBuffer()));
      expect(format).toMatchObject({ hasVideo: true });
    });

    test('list_supported_models', async () => {
      const { structuredContent } = await call('list_supported_models', { verify: true });
      expect(structuredContent.models[0]).toMatchObject({ capability: 'chat', available: true, exists: true });
    });

    test('a wrong argument is an error of the tool', async () => {
      expect(await call('chat_completion', { prompt: 'Hello', temperature: 9 })).toMatchObject({
        isError: true,
        content: [{ text: expect.stringContaining('temperature') }],
      });
    });

    test('a wrong key is refused', async () => {
      await expect(connect(new URL(`${gateway.url}/mcp`), 'wrong')).rejects.toThrow();
    });
  });
});

describe.each(Object.keys(runtimes))('a video on %s', (runtime) => {
  const start = runtimes[runtime] as typeof startNodeGateway;
  const connect = clients['@modelcontextprotocol/client, pinned to 2026-07-28'] as (url: URL, key: string) => Promise<ConnectedClient>;

  test('outlives the client that was cut off and the server that was stopped; it is created and downloaded once', async () => {
    const env = testEnvironment();
    const account = env.OPENAI_API_KEY ?? '';
    await setVideos(account, { jobSeconds: 4 });
    const first = await start(env);
    const videoId = await startAndCutOff(first.url);
    await first.close();

    const second = await start(env);
    const client = await connect(new URL(`${second.url}/mcp`), CLIENT_KEY);
    const goOn = async () => (await client.callTool({ name: 'generate_video', arguments: { video_id: videoId } })) as ToolResult;
    expect((await goOn()).structuredContent).toMatchObject({
      status: 'completed',
      video_id: videoId,
      video: { content_type: 'video/mp4' },
    });
    expect((await goOn()).structuredContent.status).toBe('completed');
    await client.close();
    await second.close();
    const requests = await recordedRequests(account);
    expect(requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
    expect(requests.filter(({ query }) => query === '?variant=video')).toHaveLength(1);
  });
});

/** Starts a video, reads the first progress message, which has the id, and breaks the connection. */
async function startAndCutOff(url: string): Promise<string> {
  const connection = new AbortController();
  const headers = {
    authorization: `Bearer ${CLIENT_KEY}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const params = { name: 'generate_video', arguments: { prompt: 'a lamp' }, _meta: { progressToken: 1 } };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  const response = await fetch(`${url}/mcp`, { method: 'POST', headers, body, signal: connection.signal });
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    const id = /"message":"(video_\w+): started/.exec(text)?.[1];
    if (!id) continue;
    connection.abort();
    return id;
  }
  throw new Error('No progress message came.');
}

test('workerd with a wrong configuration answers 503, and names the variables', async () => {
  const gateway = await startWorkerdGateway({ PORT: 'secret' });
  const response = await fetch(`${gateway.url}/mcp`, { method: 'POST' });
  expect(response.status).toBe(503);
  expect(await response.text()).toMatch(/MCP_SERVER_API_KEY is required; PORT must be/);
  await gateway.close();
});
