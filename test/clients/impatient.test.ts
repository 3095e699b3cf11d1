import { describe, expect, test } from 'vitest';
import { startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { CLIENT_KEY, eventually, queueFaults, recordedRequests, release, type ToolResult, testEnvironment } from '../support.ts';
import type { ConnectedClient, TestedClient } from './connect.ts';
import { frameworks } from './installed/frameworks.ts';
import { programs } from './programs.ts';

/** Those that give up after 60 seconds unless they are told otherwise; here, they are not. */
const names = ['LangChain', 'OpenAI Agents', 'Mastra', 'mcp-use', 'mcp-remote, http-only'];
const clients = Object.entries<TestedClient>({ ...frameworks, ...programs }).filter(([name]) => names.includes(name));

/** A call of each client that has an image of its own in mind; some throw what others return. */
async function callAll(connected: ReadonlyMap<string, ConnectedClient>, argsOf: (name: string) => Record<string, unknown>) {
  const call = async ([name, client]: [string, ConnectedClient]): Promise<[string, ToolResult]> => [
    name,
    await client.callTool('generate_image', argsOf(name)).catch(({ message }) => ({
      isError: true,
      content: [{ type: 'text', text: message }],
      structuredContent: undefined,
    })),
  ];
  return new Map(await Promise.all([...connected].map(call)));
}

async function setUp(start: typeof startNodeGateway | typeof startWorkerdGateway) {
  const { MCP_DEFAULT_WAIT_SECONDS: _, ...env } = testEnvironment();
  const account = env.OPENAI_API_KEY ?? '';
  const gateway = await start(env);
  const connect = async ([name, { connect }]: [string, TestedClient]) => [name, await connect(gateway.url, CLIENT_KEY, {})] as const;
  const connected = new Map(await Promise.all(clients.map(connect)));
  await queueFaults(
    account,
    clients.map(() => ({ at: '/images', hold: 'all' })),
  );
  const creations = async () => (await recordedRequests(account)).filter(({ method }) => method === 'POST');
  return {
    connected,
    creations,
    release: async () => {
      await eventually(async () => (await creations()).length === clients.length);
      await release(account);
    },
    close: async () => {
      await Promise.all([...connected.values()].map((client) => client.close()));
      await gateway.close();
    },
  };
}

describe.concurrent.each(Object.entries({ Node: startNodeGateway, workerd: startWorkerdGateway }))(
  'clients that give up after a minute, on %s',
  (_, start) => {
    test('are told to come back before they do, and then have the image', async () => {
      const { connected, creations, release, close } = await setUp(start);
      const first = await callAll(connected, (name) => ({ prompt: name, size: '64x64' }));
      for (const name of names) expect(first.get(name), name).toMatchObject({ structuredContent: { status: 'in_progress' } });
      const second = callAll(connected, (name) => ({ job_id: first.get(name)?.structuredContent.job_id }));
      await release();
      for (const result of (await second).values()) expect(result.structuredContent).toMatchObject({ images: [{ width: 64 }] });
      expect(await creations()).toHaveLength(clients.length);
      await close();
    });

    test('collect the image by calling again, if they had the gateway wait for longer', async () => {
      const { connected, creations, release, close } = await setUp(start);
      const argsOf = (name: string) => ({ prompt: name, size: '64x64', wait_seconds: 600 });
      const first = await callAll(connected, argsOf);
      for (const [name, result] of first) expect(result.content[0]?.text, name).toMatch(/timed? ?out/i);
      const second = callAll(connected, argsOf);
      await release();
      for (const result of (await second).values())
        expect(result.structuredContent).toMatchObject({ collected: true, images: [{ width: 64 }] });
      expect(await creations()).toHaveLength(clients.length);
      await close();
    });
  },
);
