import {
  type CallToolResult,
  ProtocolError,
  ProtocolErrorCode,
  Server,
  type ServerContext,
  type ServerOptions,
} from '@modelcontextprotocol/server';
import { mayUse, type Principal } from '../auth/principal.ts';
import type { Events, GatewayEvent } from '../events.ts';
import type { JobStatus, Jobs } from '../jobs/jobs.ts';
import { MAX_NAME_CHARACTERS, MAX_PROGRESS_CHARACTERS } from '../limits.ts';
import { createMeasures, measureUploads } from '../tools/measures.ts';
import type { ToolContext, ToolServices } from '../tools/tool.ts';
import type { Charge } from '../usage/charge.ts';
import type { Pace } from '../usage/pace.ts';
import { APPS_EXTENSION, createMediaApp } from './apps.ts';
import { endOfCall, startOfCall } from './call-span.ts';
import type { Caller, CompiledTool, Mask, ToolOutcome } from './compile-tool.ts';
import { deliveryOf } from './delivery.ts';
import { exchangeOf } from './exchange.ts';
import { cut } from './invalid-arguments.ts';
import { createMediaResources } from './media-resources.ts';
import { startProgress } from './progress.ts';
import { handleResources } from './resources.ts';
import { createPresentTask, declaresTasks, handleTasks, messageDeclaresTasks, TASKS_EXTENSION } from './tasks.ts';

/** The name and version that clients see in `serverInfo`. */
type ServerInfo = Readonly<{ name: string; title: string; version: string }>;

export type McpServerOptions = Readonly<{
  info: ServerInfo;
  instructions: string;
  tools: readonly CompiledTool[];
  services: ToolServices;
  mask: Mask;
  /** Runs paid calls; `undefined` where no state can be stored. */
  jobs: Jobs | undefined;
  /** Does work within the budgets, and adds up what was used. */
  charge: Charge;
  /** How many calls of a principal run at once. */
  pace: Pace;
  /** Keeps work running after its client disconnects. */
  waitUntil: (work: Promise<unknown>) => void;
  /** Whether results link to their files besides naming them in text; some clients fail on such links. */
  resourceLinks: boolean;
  /** Told of every tool call. */
  events: Events;
}>;

/** `protocolVersion` restricts the server to one revision; by default it supports all. */
export type CreateServer = (protocolVersion?: string) => Server;

/** The MCP server, independent of any transport. */
export type McpServerFactory = Readonly<{
  /** Creates a low-level server for one request or one session; all share the compiled tools. */
  createServer: CreateServer;
  /** The number of running tool calls, including those whose client has disconnected. */
  callsInFlight: () => number;
  /** Where the record of the job is that a message starts or continues; `undefined` if it concerns none. */
  placeOf: (message: object, principal: Principal) => Promise<string | undefined>;
}>;

type ToolCall = (context: ToolContext, caller: Caller) => Promise<ToolOutcome>;
type EndedCall = Extract<GatewayEvent, { type: 'tool_call' }> & Pick<ToolOutcome, 'result'>;

/** How long what does not change before the next release may be cached. */
const CACHE_HINT = { ttlMs: 300_000, cacheScope: 'private' } as const;

function withoutLinks(result: CallToolResult): CallToolResult {
  return { ...result, content: result.content.filter(({ type }) => type !== 'resource_link') };
}

export function createServerFactory(options: McpServerOptions): McpServerFactory {
  const compiled = new Map(options.tools.map((tool) => [tool.definition.name, tool]));
  const definitions = options.tools.map(({ definition }) => definition);
  const allowedTo = (principal: Principal) => definitions.filter(({ name }) => mayUse(principal, name));
  const find = (name: string, principal: Principal) => (mayUse(principal, name) ? compiled.get(name) : undefined);
  const tasks = options.jobs && {
    jobs: options.jobs,
    clock: options.services.clock,
    collect({ id, tool: name }: JobStatus, context: ServerContext) {
      const tool = compiled.get(name);
      return tool && callTool(tool, context, (...call) => tool.collect(id, ...call));
    },
  };
  const serverOptions: ServerOptions = {
    capabilities: { tools: {}, resources: {}, extensions: { ...APPS_EXTENSION, ...(tasks && TASKS_EXTENSION) } },
    instructions: options.instructions,
    // Shared: the default builds a schema compiler per server. The SDK uses it only for elicitation, which no tool needs.
    jsonSchemaValidator: {
      getValidator: () => {
        throw new Error('This server does not use elicitation.');
      },
    },
    cacheHints: {
      'tools/list': CACHE_HINT,
      'resources/templates/list': CACHE_HINT,
    },
  };
  const app = createMediaApp(options.services.media.publicOrigins);
  const { events } = options;
  const { history } = options.services;
  const media = history && createMediaResources(history, options.services);
  let callsInFlight = 0;

  /** Runs `call` with what it needs, and reports its outcome. */
  function callTool(tool: CompiledTool, serverContext: ServerContext, call: ToolCall): Promise<CallToolResult> {
    const { name } = tool.definition;
    return events.during(
      () => startOfCall(name, serverContext, exchangeOf(serverContext)),
      async (span) => {
        const { result, ...ended } = await runTool(tool, serverContext, call);
        events.emit(ended);
        span?.setAttributes(endOfCall(ended));
        return options.resourceLinks ? result : withoutLinks(result);
      },
    );
  }

  async function runTool(tool: CompiledTool, serverContext: ServerContext, call: ToolCall): Promise<EndedCall> {
    const { requestId, principal, publicUrl } = exchangeOf(serverContext);
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
    const own = { principal, publicUrl, log, measure, measures, signal, requestId, wantsProgress: progress.isWanted, progress: report };
    const context: ToolContext = {
      ...options.services,
      media,
      ...own,
      isKept: false,
      waitMs: Number.POSITIVE_INFINITY,
      checkpoint: () => {},
    };
    const delivered = () => deliveryOf(serverContext);
    const presentTask = tasks && declaresTasks(serverContext) ? createPresentTask(tasks, delivered) : undefined;
    const { jobs, charge, pace, waitUntil } = options;
    const caller = { principal, rpcId: serverContext.mcpReq.id, delivered, jobs, charge, pace, waitUntil, presentTask };
    const outcome = await call(context, caller);
    progress.end();
    const { name } = tool.definition;
    const durationMs = clock.now() - startMs;
    return { type: 'tool_call', requestId, principal: principal.name, tool: name, durationMs, measures, ...outcome };
  }

  function createServer(protocolVersion?: string): Server {
    const server = new Server(options.info, { ...serverOptions, ...(protocolVersion && { supportedProtocolVersions: [protocolVersion] }) });
    server.setRequestHandler('tools/list', (_, context) => ({ tools: allowedTo(exchangeOf(context).principal) }));
    server.setRequestHandler('tools/call', async ({ params }, context) => {
      const { principal } = exchangeOf(context);
      const tool = find(params.name, principal);
      if (!tool) {
        const available = allowedTo(principal).map(({ name }) => name);
        throw new ProtocolError(
          ProtocolErrorCode.InvalidParams,
          `Unknown tool ${cut(params.name, MAX_NAME_CHARACTERS)}; available: ${available.join(', ')}`,
        );
      }
      callsInFlight++;
      return callTool(tool, context, (...call) => tool.call(params.arguments, ...call)).finally(() => callsInFlight--);
    });
    handleResources(server, { app, media });
    if (tasks) handleTasks(server, tasks);
    return server;
  }

  async function placeOf(message: object, principal: Principal): Promise<string | undefined> {
    const { method, params } = message as { method?: unknown; params?: { name?: unknown; arguments?: unknown; taskId?: unknown } };
    if ((method === 'tasks/get' || method === 'tasks/cancel') && typeof params?.taskId === 'string')
      return options.jobs?.placeOf({ jobId: params.taskId });
    if (method !== 'tools/call' || typeof params?.name !== 'string') return undefined;
    const job = await find(params.name, principal)?.jobOf(params.arguments, messageDeclaresTasks(message));
    return job && options.jobs?.placeOf({ ...job, principalId: principal.id });
  }

  return { createServer, placeOf, callsInFlight: () => callsInFlight + (options.jobs?.inFlight() ?? 0) };
}
