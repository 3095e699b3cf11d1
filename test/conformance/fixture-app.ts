import type { Hono } from 'hono';
import { createApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { createParts, type Gateway, type Parts } from '../../src/gateway.ts';
import type { HttpEnv } from '../../src/http/errors.ts';
import type { CompiledTool } from '../../src/mcp/compile-tool.ts';
import type { ForwardCall } from '../../src/mcp/durable-calls.ts';
import type { SseSessions } from '../../src/mcp/sse-sessions.ts';
import type { Runtime } from '../../src/ports.ts';
import { compileFixtures } from './fixture-tools.ts';
import { createMemoryStore } from './memory-store.ts';
import { compileTaskTools } from './task-tools.ts';

/** How often each fixture tool has been called. */
export type FixtureCalls = Readonly<Record<string, number>>;

type Fixtures = Readonly<{ parts: Parts; calls: FixtureCalls }>;

/** The parts of the product with the fixture tools, configured by the product's own variables. */
export function createFixtures(env: Record<string, unknown>, runtime: Runtime): Fixtures {
  const loaded = loadConfig(env);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const parts = createParts(loaded.config, runtime);
  const calls: Record<string, number> = {};
  const counted = (tool: CompiledTool): CompiledTool => ({
    ...tool,
    call(...call) {
      const { name } = tool.definition;
      calls[name] = (calls[name] ?? 0) + 1;
      return tool.call(...call);
    },
  });
  const tools = [...compileFixtures(), ...compileTaskTools(parts.mask)].map(counted);
  const sealed = { jobs: createMemoryStore(), index: createMemoryStore(), usage: createMemoryStore() };
  return { parts: { ...parts, tools, sealed }, calls };
}

/** The product's routes, and `GET /calls`: which fixtures have been called, so that a scenario cannot pass without. */
export function createFixtureApp(
  gateway: Gateway,
  { calls }: Fixtures,
  options: Readonly<{ sessions: SseSessions; forwardCall?: ForwardCall }>,
): Hono<HttpEnv> {
  return createApp(gateway, options).get('/calls', (c) => c.json(calls));
}
