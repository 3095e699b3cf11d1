import { ProtocolError, ProtocolErrorCode, Server } from '@modelcontextprotocol/server';
import type { Hono } from 'hono';
import { createApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { type Gateway, serveMcp } from '../../src/gateway.ts';
import type { HttpEnv } from '../../src/http/errors.ts';
import type { SseSessions } from '../../src/mcp/sse-sessions.ts';
import type { Runtime } from '../../src/ports.ts';
import { fixtureTools } from './fixture-tools.ts';

/** How often each fixture tool has been called. */
export type FixtureCalls = Readonly<Record<string, number>>;

type FixtureGateway = Readonly<{ gateway: Gateway; calls: FixtureCalls }>;

/** The fixture tools behind the product's own transports, configured by the product's own variables. */
export function createFixtureGateway(env: Record<string, unknown>, runtime: Runtime): FixtureGateway {
  const loaded = loadConfig(env);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const tools = new Map(fixtureTools.map((tool) => [tool.definition.name, tool]));
  const toolList = { tools: fixtureTools.map(({ definition }) => definition) };
  const calls: Record<string, number> = {};
  let callsInFlight = 0;

  function createServer(protocolVersion?: string): Server {
    const server = new Server(
      { name: 'conformance-fixtures', version: '1.0.0' },
      { capabilities: { tools: {} }, ...(protocolVersion && { supportedProtocolVersions: [protocolVersion] }) },
    );
    server.setRequestHandler('tools/list', () => toolList);
    server.setRequestHandler('tools/call', async ({ params: { name } }, { mcpReq: request }) => {
      const tool = tools.get(name);
      if (!tool) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool ${name}`);
      calls[name] = (calls[name] ?? 0) + 1;
      callsInFlight++;
      try {
        return await tool.call({ request, sleep: runtime.sleep });
      } finally {
        callsInFlight--;
      }
    });
    return server;
  }

  return { gateway: serveMcp({ createServer, callsInFlight: () => callsInFlight }, loaded.config.server, runtime), calls };
}

/** The product's routes, and `GET /calls`: which fixtures have been called, so that a scenario cannot pass without. */
export function createFixtureApp({ gateway, calls }: FixtureGateway, sessions: SseSessions): Hono<HttpEnv> {
  return createApp(gateway, { sessions }).get('/calls', (c) => c.json(calls));
}
