import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { CLIENT_KEY, type ToolResult, testEnvironment } from '../support.ts';

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
    gateway = await (runtimes[runtime] as typeof startNodeGateway)(testEnvironment());
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

test('workerd with a wrong configuration answers 503, and names the variables', async () => {
  const gateway = await startWorkerdGateway({ PORT: 'secret' });
  const response = await fetch(`${gateway.url}/mcp`, { method: 'POST' });
  expect(response.status).toBe(503);
  expect(await response.text()).toMatch(/MCP_SERVER_API_KEY is required; PORT must be/);
  await gateway.close();
});
