import {
  type AuthInfo,
  createMcpHandler,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
  type ServerOptions,
} from '@modelcontextprotocol/server';
import type { Tool, ToolServices } from '../tools/tool.ts';
import { startProgress } from './progress.ts';
import { type CompiledTool, compileTool, type ToolOutcome } from './tool.ts';

/** The name and version that clients see in `serverInfo`. */
type ServerInfo = Readonly<{ name: string; title: string; version: string }>;

export type McpOptions = Readonly<{
  info: ServerInfo;
  instructions: string;
  tools: readonly Tool[];
  services: ToolServices;
  /** Told of every finished tool call; for the log. */
  onToolCall: (call: { requestId: string; tool: string } & Omit<ToolOutcome, 'result'>) => void;
  /** Told of what the SDK reports besides its answers; for the log. */
  onError: (error: Error) => void;
}>;

/** What belongs to one HTTP request. */
type Exchange = Readonly<{
  requestId: string;
  /** Keeps work alive after the client has gone. */
  waitUntil: (work: Promise<unknown>) => void;
}>;

/** Answers one MCP request over Streamable HTTP whose body has been read and parsed. */
export type McpHandler = (request: Request, parsedBody: object, exchange: Exchange) => Promise<Response>;

/**
 * Streamable HTTP for every protocol revision, stateless. Each request gets a low-level server of its own, because a
 * shared one sends answers to the wrong client; all servers share the compiled tools.
 */
export function createMcp(options: McpOptions): McpHandler {
  const compiled = new Map(options.tools.map((tool) => [tool.name, compileTool(tool)]));
  const toolList = { tools: [...compiled.values()].map(({ definition }) => definition) };
  const serverOptions: ServerOptions = {
    capabilities: { tools: {} },
    instructions: options.instructions,
    // Made once: the default builds a schema compiler for each server. It is asked only for elicitation, which no tool uses.
    jsonSchemaValidator: {
      getValidator: () => {
        throw new Error('This server elicits nothing.');
      },
    },
    cacheHints: { 'tools/list': { ttlMs: 300_000, cacheScope: 'private' } },
  };

  const createServer = (): Server => {
    const server = new Server(options.info, serverOptions);
    server.setRequestHandler('tools/list', () => toolList);
    server.setRequestHandler('tools/call', async ({ params }, context) => {
      const tool = compiled.get(params.name);
      if (!tool)
        throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool ${params.name}; known: ${[...compiled.keys()].join(', ')}`);
      return callTool(tool, params.arguments, context);
    });
    return server;
  };

  async function callTool(tool: CompiledTool, args: unknown, { mcpReq, http }: ServerContext) {
    const { requestId, waitUntil } = exchangeOf(http?.authInfo);
    const keepAlive = <Result>(work: Promise<Result>): Promise<Result> => {
      waitUntil(work.catch(() => {}));
      return work;
    };
    const { now, sleep } = options.services;
    const progress = startProgress(mcpReq, { activity: tool.activity, now, sleep });
    const { isWanted: wantsProgress, report } = progress;
    const context = { ...options.services, signal: mcpReq.signal, requestId, wantsProgress, progress: report, keepAlive };
    const { result, ...outcome } = await tool.call(args, context);
    progress.end();
    options.onToolCall({ requestId, tool: tool.definition.name, ...outcome });
    return result;
  }

  const handler = createMcpHandler(createServer, { legacy: 'stateless', responseMode: 'auto', onerror: options.onError });
  return async (request, parsedBody, exchange) =>
    refuseCall(parsedBody) ?? handler.fetch(withAccept(request), { parsedBody, authInfo: toAuthInfo(exchange) });
}

/** A call that is no call at all, told in words that a model understands; the SDK would answer with its validator's. */
function refuseCall(body: object): Response | undefined {
  const { id, method, params } = body as { id?: unknown; method?: unknown; params?: { name?: unknown; arguments?: unknown } };
  if (method !== 'tools/call' || id === undefined) return undefined;
  const problem =
    typeof params?.name !== 'string'
      ? 'params.name must be the name of a tool'
      : params.arguments !== undefined && !isPlainObject(params.arguments)
        ? 'params.arguments must be an object'
        : undefined;
  if (problem === undefined) return undefined;
  return Response.json(
    { jsonrpc: '2.0', id, error: { code: ProtocolErrorCode.InvalidParams, message: `Invalid tools/call request: ${problem}.` } },
    { status: 400 },
  );
}

function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The protocol wants both media types named in Accept; tools such as curl say that they take anything. */
function withAccept(request: Request): Request {
  const accept = request.headers.get('accept') ?? '*/*';
  if (!accept.includes('*/*')) return request;
  const headers = new Headers(request.headers);
  headers.set('accept', 'application/json, text/event-stream');
  return new Request(request.url, { method: request.method, headers, signal: request.signal });
}

/** The SDK carries this beside a request to its handlers; ours holds the exchange, and not the token. */
function toAuthInfo(exchange: Exchange): AuthInfo {
  return { token: '', clientId: 'mcp', scopes: [], extra: { exchange } };
}

function exchangeOf(authInfo: AuthInfo | undefined): Exchange {
  return authInfo?.extra?.exchange as Exchange;
}
