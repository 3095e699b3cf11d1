import packageJson from '../package.json' with { type: 'json' };
import { createAdmission } from './admission.ts';
import type { VerifyToken } from './auth/principal.ts';
import { verifySingleKey } from './auth/single-key.ts';
import { createBlobStore } from './azure/blob-store.ts';
import type { Config, StorageSettings } from './config.ts';
import type { Log } from './log.ts';
import { createServerFactory, type McpServerFactory } from './mcp/server.ts';
import { openSseSession } from './mcp/sse-session.ts';
import type { OpenSseSession } from './mcp/sse-sessions.ts';
import { createStreamableHttp, type StreamableHttp } from './mcp/streamable-http.ts';
import { readInputImage } from './media/input-image.ts';
import { createMediaStore, createMissingMediaStore, type MediaStore } from './media/media-store.ts';
import { downloadImage } from './media/upstream-image.ts';
import { createModelCatalog } from './openai/model-catalog.ts';
import { CAPABILITIES, createUpstreams, type Upstream, type Upstreams } from './openai/upstreams.ts';
import type { Runtime } from './ports.ts';
import { createMask, createRedactor } from './redact.ts';
import { tools } from './tools/index.ts';

/** The components behind the routes. */
export type Gateway = Readonly<{
  server: Config['server'];
  runtime: Runtime;
  verifyToken: VerifyToken;
  streamableHttp: StreamableHttp;
  openSseSession: OpenSseSession;
  /** The number of running tool calls, including those whose client has disconnected. */
  callsInFlight: () => number;
}>;

export const VERSION = packageJson.version;

const { name, description, homepage }: { name: string; description: string; homepage?: string } = packageJson;

/** The public description of the gateway. */
export const ABOUT = {
  name,
  title: 'OpenAI MCP Gateway',
  version: VERSION,
  description,
  homepage,
  tools: tools.map(({ name, title, description }) => ({ name, title, description })),
};

const INSTRUCTIONS =
  'Tools for OpenAI models, through a gateway. Media is stored and returned as URLs. Calls are billed to the team that runs the gateway: do not repeat a call that may have succeeded. list_supported_models is free and lists what is available.';

/** The composition root: wires the components from the configuration. */
export function createGateway(config: Config, runtime: Runtime): Gateway {
  const { waitUntil, log } = runtime;
  const media = createMedia(config.storage, runtime);
  const inputImages = {
    argument: 'input_reference_url',
    allowedHosts: media.publicHost ? [...config.inputHosts, media.publicHost] : config.inputHosts,
    fetch: runtime.fetchPublic,
    clock: runtime,
  };
  const services = {
    upstreams: createUpstreams(config.openai, { ...runtime, redact: createRedactor(config.secrets) }),
    models: createModelCatalog(runtime, waitUntil),
    media,
    admission: createAdmission(runtime.mediaMemoryBytes, runtime.lingerMs, runtime),
    downloadImage: (url: string, upstream: Upstream) =>
      downloadImage(url, { runtime, allowedHosts: [upstream.endpointHost, ...config.downloadHosts] }),
    readInputImage: (url: string, signal: AbortSignal) => readInputImage(url, signal, inputImages),
    logInfo: log.info,
    clock: runtime,
    finish<Result>(work: Promise<Result>): Promise<Result> {
      waitUntil(work.catch(() => {}));
      return work;
    },
  };
  logUnavailable(services.upstreams, media.missing, log);
  const factory = createServerFactory({
    info: { name: ABOUT.name, title: ABOUT.title, version: VERSION },
    instructions: INSTRUCTIONS,
    tools,
    services,
    mask: createMask(config.secrets),
    resourceLinks: config.server.resourceLinks,
    onToolCall: ({ requestId, principal, tool, durationMs, measures, outcome, error }) => {
      const fields = { request_id: requestId, principal: principal.name, tool, outcome, duration_ms: durationMs, ...measures };
      if (outcome === 'ok') log.info('tool_call', fields);
      else if (outcome === 'internal') log.error('tool_call', { ...fields, error: stackOf(error) });
      else log.warn('tool_call', { ...fields, ...describeFailureForLog(error) });
    },
  });
  return serveMcp(factory, config.server, runtime);
}

function createMedia(storage: StorageSettings, runtime: Runtime): MediaStore {
  if (!storage.configured) return createMissingMediaStore(storage.missing);
  return createMediaStore(createBlobStore(storage.azure, runtime), storage.media, runtime);
}

/** Logs unavailable features at startup, so that the operator need not discover them through a failed call. */
function logUnavailable(upstreams: Upstreams, storageVariables: readonly string[], log: Log): void {
  for (const capability of CAPABILITIES) {
    const upstream = upstreams[capability];
    if (!upstream.available) log.info('unavailable', { capability, reason: upstream.reason });
  }
  if (storageVariables.length > 0) log.info('unavailable', { capability: 'storage', reason: `${storageVariables.join(', ')} not set` });
}

/** Exposes an MCP server through its transports. */
export function serveMcp({ createServer, callsInFlight }: McpServerFactory, server: Config['server'], runtime: Runtime): Gateway {
  const { heartbeatMs, log } = runtime;
  const onError = (error: Error) => log.debug('mcp_error', { message: error.message });
  const onBug = (error: Error, requestId: string) => log.error('request_failed', { request_id: requestId, error: stackOf(error) });
  return {
    server,
    runtime,
    verifyToken: verifySingleKey(server.apiKey),
    streamableHttp: createStreamableHttp(createServer, { clock: runtime, heartbeatMs, onError, onBug }),
    openSseSession: (sessionId, onClose) => openSseSession({ sessionId, createServer, clock: runtime, heartbeatMs, onClose }),
    callsInFlight,
  };
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/**
 * The message sent to the client and, if available, the code of the root cause (ECONNREFUSED, …). Messages of causes are
 * omitted: an upstream's may quote the API key.
 */
function describeFailureForLog(error: unknown): { error: string; code?: string } {
  let cause = error;
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
  const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? { code: cause.code } : {};
  return { error: error instanceof Error ? error.message : String(error), ...code };
}
