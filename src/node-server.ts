import { existsSync, readFileSync } from 'node:fs';
import type { Server, ServerResponse } from 'node:http';
import nodeModule from 'node:module';
import type { Socket } from 'node:net';
import { parseEnv } from 'node:util';
import { createAdaptorServer, type Http2Bindings, type HttpBindings } from '@hono/node-server';
import { createApp } from './app.ts';
import { type Config, type ConfigProblem, type ConfigResult, loadConfig } from './config.ts';
import { logStart } from './gateway.ts';
import { UPLOADS_PATH } from './http/uploads.ts';
import { READER_TIMEOUT_MS } from './limits.ts';
import { createMemorySessions } from './mcp/sse-sessions.ts';
import { type NodeGateway, type PreparedGateway, prepareGateway } from './node-gateway.ts';
import { trackOpenResponses } from './node-open-responses.ts';
import { startSummary } from './start-summary.ts';

const LOCAL_VARIABLES = '.dev.vars';
/** Pending connections; Node's default of 511 overflows in a burst, and clients then retry only after seconds. */
const BACKLOG = 4096;
/** Otherwise, slow senders hold their connections for minutes. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const CONNECTIONS_CHECKING_INTERVAL_MS = 5_000;
/** Longer than the idle timeout of common load balancers, so that they close first. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** The first answers come first. */
const LOAD_REST_AFTER_MS = 1_000;
/** Node's defaults; any other error is a bad request. */
const CLIENT_ERROR_STATUS: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
};

/** Serves until the process is asked to end; without a complete configuration, it prints what is missing and exits. */
export function main(): void {
  if (!('fromBase64' in Uint8Array))
    exitWithError(`Node 26 is required, but this is ${process.versions.node}; "npm start" uses the bundled one.`);
  const loaded = loadConfig(readEnvironment(), { rejectWeakKey: true, ownStore: 'file' });
  if (loaded.ok) void serve(loaded.config, loaded.warnings);
  else exitWithProblems(loaded, `environment or ${LOCAL_VARIABLES}`);
}

/** The process environment, falling back to the file for unset and empty variables. */
function readEnvironment(): Record<string, string | undefined> {
  // Some editors write a byte order mark.
  const fromFile = existsSync(LOCAL_VARIABLES) ? parseEnv(readFileSync(LOCAL_VARIABLES, 'utf8').replace(/^\uFEFF/, '')) : {};
  const set = Object.entries(process.env).filter(([, value]) => value?.trim());
  return { ...fromFile, ...Object.fromEntries(set) };
}

async function serve(config: Config, warnings: readonly ConfigProblem[]): Promise<void> {
  const prepared = await prepareGateway(config, process.stdout);
  const { gateway, log, at } = await serveHttp(prepared, config.server);
  const { features } = gateway;
  if (process.stdout.isTTY) process.stdout.write(startSummary({ ...at, features, warnings }));
  else {
    logStart(features, warnings, log);
    log.info('listening', at);
  }
}

/** Where the gateway listens. */
type Address = Readonly<{ host: string; port: number }>;
type HttpGateway = NodeGateway & Readonly<{ at: Address }>;

/** Serves the app on a port; exits if it is in use. */
export async function serveHttp(prepared: PreparedGateway, settings: Config['server']): Promise<HttpGateway> {
  const served = await serveHttpIfFree(prepared, settings);
  return served ?? exitWithError(`Port ${settings.port} is in use; set PORT (for the command: --port) to another port.`);
}

/** The same; `undefined` if the port is in use. Links to media say which, so the gateway is opened once the server listens. */
export async function serveHttpIfFree({ open }: PreparedGateway, settings: Config['server']): Promise<HttpGateway | undefined> {
  const server = createHttpServer((request, env) => (isGone(env) ? new Response(null, { status: 400 }) : app.fetch(request, env)));
  const openResponses = trackOpenResponses(server);
  closeFailedConnections(server, openResponses);
  closeStalledConnections(server, openResponses);
  // No request is taken before the next turn of the event loop, when there is an app.
  const port = await listen(server, settings);
  if (port === undefined) return undefined;
  const opened = open({ ...settings, port });
  const { gateway, isDraining, serving } = opened;
  const sessions = createMemorySessions(gateway.openSseSession, gateway.runtime.randomUUID);
  const app = createApp(gateway, { sessions, isDraining });
  serving({ openResponses: () => openResponses.size, closeStreams: sessions.closeAll });
  setTimeout(loadRest, LOAD_REST_AFTER_MS).unref();
  return { ...opened, at: { host: settings.host, port } };
}

/** Loads what the first call to an upstream needs, so that it does not have to; and keeps what was compiled, however this ends. */
async function loadRest(): Promise<void> {
  await Promise.all([import('undici'), import('./openai/clients.ts')]);
  // Not in Node 20, on which the published package runs.
  nodeModule.flushCompileCache?.();
}

function createHttpServer(fetch: Parameters<typeof createAdaptorServer>[0]['fetch']): Server {
  const serverOptions = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: CONNECTIONS_CHECKING_INTERVAL_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
  };
  // Without `createServer`, this creates a node:http server.
  return createAdaptorServer({ fetch, serverOptions }) as Server;
}

/** Resolves with the port, before the first connection is taken; with `undefined` if it is in use. */
function listen(server: Server, { host, port }: Address): Promise<number | undefined> {
  return new Promise((resolve) => {
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') return resolve(undefined);
      const remedy = error.code === 'EACCES' ? 'set PORT to a port above 1023' : 'set HOST to an address of this machine, such as 0.0.0.0';
      exitWithError(`Cannot listen on ${host}:${port} (${error.code ?? error.message}); ${remedy}.`);
    });
    server.listen({ port, host, backlog: BACKLOG }, () => resolve(boundPort(server.address(), port)));
  });
}

/** Node goes on with the requests that it has read from a connection after it was closed. */
function isGone(env: HttpBindings | Http2Bindings): boolean {
  return env.incoming.socket.destroyed;
}

/** Whether this is the body of an upload, which has limits of its own. */
function isUpload({ req }: ServerResponse): boolean {
  return req.method === 'PUT' && (req.url ?? '').startsWith(UPLOADS_PATH);
}

/**
 * Node's headers timeout includes time in which the event loop is blocked: in a burst, it would reset connections whose
 * request has arrived but has not been read. The poll phase before `setImmediate` reads it. Only connections without a
 * single byte read are spared; their first bytes restart Node's timeout.
 */
function closeFailedConnections(server: Server, openResponses: ReadonlySet<ServerResponse>): void {
  function reject(error: NodeJS.ErrnoException, socket: Socket): void {
    const hasStarted = [...openResponses].some((response) => response.socket === socket && response.headersSent);
    const status = CLIENT_ERROR_STATUS[error.code ?? ''] ?? '400 Bad Request';
    if (socket.writable && !hasStarted) socket.write(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
    socket.destroy(error);
  }

  server.on('clientError', (error: NodeJS.ErrnoException, stream) => {
    const socket = stream as Socket;
    if (error.code !== 'ERR_HTTP_REQUEST_TIMEOUT') return reject(error, socket);
    if ([...openResponses].some((response) => response.socket === socket && isUpload(response))) return;
    if (socket.bytesRead > 0) return reject(error, socket);
    setImmediate(() => {
      if (socket.bytesRead === 0) reject(error, socket);
    });
  });
}

/**
 * Closes connections whose reader has stopped: what it does not take would be held for as long as it likes. Node's timeout
 * starts anew whenever bytes move, and also ends connections that are kept alive; those whose response is still being
 * made are left alone.
 */
function closeStalledConnections(server: Server, openResponses: ReadonlySet<ServerResponse>): void {
  server.setTimeout(READER_TIMEOUT_MS, (socket: Socket) => {
    const isBeingMade = [...openResponses].some((response) => response.socket === socket) && socket.writableLength === 0;
    if (!isBeingMade) socket.destroy();
  });
}

function boundPort(address: ReturnType<ReturnType<typeof createAdaptorServer>['address']>, fallback: number): number {
  return typeof address === 'object' && address ? address.port : fallback;
}

/** `where`: to correct them. */
export function exitWithProblems({ problems, warnings }: Extract<ConfigResult, { ok: false }>, where: string): never {
  const lines = [...problems, ...warnings].map(({ variable, problem }) => `  ${variable} ${problem}`);
  exitWithError(`The gateway cannot start. Correct these variables (${where}):\n${lines.join('\n')}`);
}

export function exitWithError(sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}
