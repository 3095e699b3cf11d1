import packageJson from '../package.json' with { type: 'json' };
import type { Config } from './config.ts';
import type { Log } from './log.ts';
import { createMcp, type McpHandler } from './mcp/server.ts';
import { createMediaStore } from './media/media-store.ts';
import { createUpstreams } from './openai/upstreams.ts';
import { tools } from './tools/index.ts';

/** Where the runtimes differ, and what tests replace. */
export type Runtime = Readonly<{
  fetch: typeof fetch;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Rejects with the signal's reason when that is aborted first. */
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  randomUUID: () => string;
  log: Log;
}>;

/** The working parts behind the routes. */
export type Gateway = Readonly<{ apiKey: string; runtime: Runtime; mcp: McpHandler }>;

export const VERSION = packageJson.version;

const INSTRUCTIONS =
  'Tools of a gateway to OpenAI models. Media is stored and returned as URLs. Calls are charged to the team that runs the gateway: do not repeat one that may have succeeded. list_supported_models is free and tells what is available.';

/** Wires the configuration to the parts; the only place that does. */
export function createGateway(config: Config, runtime: Runtime): Gateway {
  const { fetch, log } = runtime;
  const services = { upstreams: createUpstreams(config.openai, runtime), media: createMediaStore(config.storage, runtime), fetch };
  const mcp = createMcp({
    info: { name: packageJson.name, title: 'OpenAI MCP Gateway', version: VERSION },
    instructions: INSTRUCTIONS,
    tools,
    services,
    onToolCall: ({ requestId, tool, outcome, error }) => {
      const fields = { request_id: requestId, tool, outcome };
      if (outcome === 'internal') log.error('tool_call', { ...fields, error: error instanceof Error ? error.stack : String(error) });
      else log.info('tool_call', fields);
    },
    onError: (error) => log.debug('mcp_error', { message: error.message }),
  });
  return { apiKey: config.server.apiKey, runtime, mcp };
}
