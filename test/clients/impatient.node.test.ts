import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { describe, expect, test } from 'vitest';
import { startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { CLIENT_KEY, eventually, queueFaults, recordedRequests, release, type ToolResult, testEnvironment } from '../support.ts';

type ToolClient = { call: (args: object, timeoutMs: number) => Promise<ToolResult>; close: () => Promise<void> };

const info = { name: 'impatient', version: '1' };
const options = { requestInit: { headers: { Authorization: `Bearer ${CLIENT_KEY}` } } };

async function connectSdk(transport: StreamableHTTPClientTransport | SSEClientTransport): Promise<ToolClient> {
  const client = new Client(info);
  await client.connect(transport as Parameters<typeof client.connect>[0]);
  const call: ToolClient['call'] = async (args, timeout) =>
    (await client.callTool({ name: 'generate_image', arguments: { ...args } }, undefined, { timeout })) as unknown as ToolResult;
  return { call, close: () => client.close() };
}

async function connectModern(url: URL): Promise<ToolClient> {
  const client = new ModernClient(info, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
  await client.connect(new ModernTransport(url, options));
  const call: ToolClient['call'] = async (args, timeout) =>
    (await client.callTool({ name: 'generate_image', arguments: { ...args } }, { timeout })) as unknown as ToolResult;
  return { call, close: () => client.close() };
}

const clients: Record<string, (origin: string) => Promise<ToolClient>> = {
  'SDK 1.x, Streamable HTTP': (origin) => connectSdk(new StreamableHTTPClientTransport(new URL(`${origin}/mcp`), options)),
  'SDK 1.x, SSE': (origin) => connectSdk(new SSEClientTransport(new URL(`${origin}/sse`), options)),
  'SDK 2.x, 2026-07-28': (origin) => connectModern(new URL(`${origin}/mcp`)),
};

describe.each(Object.entries({ Node: startNodeGateway, workerd: startWorkerdGateway }))('%s', (_, start) => {
  test.each(Object.entries(clients))('%s gives up before the upstream has answered, calls again, and pays once', async (_, connect) => {
    const env = testEnvironment();
    const account = env.OPENAI_API_KEY ?? '';
    const creations = async () => (await recordedRequests(account)).filter(({ method }) => method === 'POST');
    const gateway = await start(env);
    await queueFaults(account, [{ at: '/images', hold: 'all' }]);
    const client = await connect(gateway.url);
    const args = { prompt: 'a lighthouse', size: '64x64' };
    await expect(client.call(args, 1_500)).rejects.toThrow(/timed? ?out/i);
    await eventually(async () => (await creations()).length === 1);
    const again = client.call(args, 240_000);
    await release(account);
    expect((await again).structuredContent).toMatchObject({ collected: true, images: [{ url: expect.any(String) }] });
    expect(await creations()).toHaveLength(1);
    await client.close();
    await gateway.close();
  });
});
