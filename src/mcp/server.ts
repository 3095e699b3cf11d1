import {
  type CallToolResult,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
  type ServerOptions,
} from '@modelcontextprotocol/server';
import { MAX_NAME_CHARACTERS, MAX_PROGRESS_CHARACTERS } from '../limits.ts';
import { createMeasures, type Measures, measureUploads } from '../tools/measures.ts';
import type { Tool, ToolContext, ToolServices } from '../tools/tool.ts';
import { type CompiledTool, compileTool, type Mask, type ToolOutcome } from './compile-tool.ts';
import { type Exchange, exchangeOf } from './exchange.ts';
import { cut } from './invalid-arguments.ts';
import { startProgress } from './progress.ts';

/** The name and version that clients see in `serverInfo`. */
type ServerInfo = Readonly<{ name: string; title: string; version: string }>;

export type McpServerOptions = Readonly<{
  info: ServerInfo;
  instructions: string;
  tools: readonly Tool[];
  services: ToolServices;
  mask: Mask;
  /** Whether results link to their files besides naming them in text; some clients fail on such links. */
  resourceLinks: boolean;
  /** Called after every tool call, for the log. */
  onToolCall: (call: Exchange & { tool: string; durationMs: number; measures: Measures } & Omit<ToolOutcome, 'result'>) => void;
}>;

/** `protocolVersion` restricts the server to one revision; by default it supports all. */
export type CreateServer = (protocolVersion?: string) => Server;

/** The MCP server, independent of any transport. */
export type McpServerFactory = Readonly<{
  /** Creates a low-level server for one request or one session; all share the compiled tools. */
  createServer: CreateServer;
  /** The number of running tool calls, including those whose client has disconnected. */
  callsInFlight: () => number;
}>;

function withoutLinks(result: CallToolResult): CallToolResult {
  return { ...result, content: result.content.filter(({ type }) => type !== 'resource_link') };
}

export function createServerFactory(options: McpServerOptions): McpServerFactory {
  const compiled = new Map(options.tools.map((tool) => [tool.name, compileTool(tool, options.mask)]));
  const toolList = { tools: [...compiled.values()].map(({ definition }) => definition) };
  const serverOptions: ServerOptions = {
    capabilities: { tools: {} },
    instructions: options.instructions,
    // Shared: the default builds a schema compiler per server. The SDK uses it only for elicitation, which no tool needs.
    jsonSchemaValidator: {
      getValidator: () => {
        throw new Error('This server does not use elicitation.');
      },
    },
    cacheHints: { 'tools/list': { ttlMs: 300_000, cacheScope: 'private' } },
  };
  let callsInFlight = 0;

  async function callTool(tool: CompiledTool, args: unknown, serverContext: ServerContext): Promise<CallToolResult> {
    const exchange = exchangeOf(serverContext);
    const { requestId, principal } = exchange;
    const { signal } = serverContext.mcpReq;
    const { clock } = options.services;
    const startMs = clock.now();
    const progress = startProgress(serverContext.mcpReq, { activity: tool.activity, clock });
    const log: ToolContext['log'] = (event, fields) =>
      options.services.logInfo(event, { request_id: requestId, principal: principal.name, ...fields });
    const report: ToolContext['progress'] = (message, percent) =>
      progress.report(options.mask(message).slice(-MAX_PROGRESS_CHARACTERS), percent);
    const { collected: measures, measure } = createMeasures();
    const media = measureUploads(options.services.media, { clock, measure });
    const call = { log, measure, signal, requestId, wantsProgress: progress.isWanted, progress: report };
    const context: ToolContext = { ...options.services, media, ...call };
    const { result, ...outcome } = await tool.call(args, context);
    progress.end();
    options.onToolCall({ ...exchange, tool: tool.definition.name, durationMs: clock.now() - startMs, measures, ...outcome });
    return options.resourceLinks ? result : withoutLinks(result);
  }

  function createServer(protocolVersion?: string): Server {
    const server = new Server(options.info, { ...serverOptions, ...(protocolVersion && { supportedProtocolVersions: [protocolVersion] }) });
    server.setRequestHandler('tools/list', () => toolList);
    server.setRequestHandler('tools/call', async ({ params }, context) => {
      const tool = compiled.get(params.name);
      if (!tool)
        throw new ProtocolError(
          ProtocolErrorCode.InvalidParams,
          `Unknown tool ${cut(params.name, MAX_NAME_CHARACTERS)}; available: ${[...compiled.keys()].join(', ')}`,
        );
      callsInFlight++;
      return callTool(tool, params.arguments, context).finally(() => callsInFlight--);
    });
    return server;
  }

  return { createServer, callsInFlight: () => callsInFlight };
}
