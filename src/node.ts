import { existsSync, readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { parseEnv } from 'node:util';
import { createAdaptorServer } from '@hono/node-server';
import { createApp } from './app.ts';
import { type Config, type ConfigProblem, loadConfig } from './config.ts';
import { createGateway } from './gateway.ts';
import { STORAGE_RETRY_MS, UPSTREAM_TIMEOUT_MS } from './limits.ts';
import { createLog, type Log } from './log.ts';
import { createMemorySessions } from './mcp/sse-sessions.ts';
import { createRedactor } from './redact.ts';
import { createNodeRuntime } from './runtime/node.ts';

const LOCAL_VARIABLES = '.dev.vars';
/** Slow senders would otherwise hold their connections for minutes. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const CONNECTIONS_CHECKING_INTERVAL_MS = 5_000;
/** Longer than the idle time of common load balancers, so that they and not we close first. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** Calls in flight are paid for, so they may finish and be stored; the platform's own grace period is usually shorter. */
const DRAIN_TIMEOUT_MS = UPSTREAM_TIMEOUT_MS + STORAGE_RETRY_MS + 60_000;
const IDLE_CHECK_MS = 100;
/** For what clients have not read yet when the last call has ended. */
const LAST_BYTES_TIMEOUT_MS = 5_000;

function main(): void {
  if (!('fromBase64' in Uint8Array)) stop(`This needs Node 26, and this is ${process.versions.node}: "npm start" brings its own.`);
  const loaded = loadConfig(readEnvironment());
  if (loaded.ok) serve(loaded.config);
  else refuseToStart(loaded.problems);
}

/** The process's variables, and for those that are unset or empty the file's. */
function readEnvironment(): Record<string, string | undefined> {
  // Some editors put a byte order mark in front.
  const fromFile = existsSync(LOCAL_VARIABLES) ? parseEnv(readFileSync(LOCAL_VARIABLES, 'utf8').replace(/^\uFEFF/, '')) : {};
  const set = Object.entries(process.env).filter(([, value]) => value?.trim());
  return { ...fromFile, ...Object.fromEntries(set) };
}

function serve(config: Config): void {
  const log = createLog(config.server.logLevel, (line) => process.stdout.write(`${line}\n`), createRedactor(config.secrets));
  const runtime = createNodeRuntime(log);
  const gateway = createGateway(config, runtime);
  const sessions = createMemorySessions(gateway.openSseSession, runtime.randomUUID);
  let isDraining = false;
  const server = createHttpServer(createApp(gateway, { sessions, isDraining: () => isDraining }).fetch);
  const openResponses = countOpenResponses(server);
  listen(server, config.server, log);

  const onSignal = (signal: NodeJS.Signals): void => {
    if (isDraining) process.exit(1);
    isDraining = true;
    log.info('draining', { signal });
    drain(gateway.callsInFlight, openResponses, sessions.closeAll);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

function createHttpServer(fetch: Parameters<typeof createAdaptorServer>[0]['fetch']): Server {
  const serverOptions = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: CONNECTIONS_CHECKING_INTERVAL_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
  };
  // Without `createServer` it is node:http's server that is made.
  return createAdaptorServer({ fetch, serverOptions }) as Server;
}

function listen(server: Server, { host, port }: Config['server'], log: Log): void {
  server.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') stop(`Port ${port} is taken; set PORT to another one.`);
    const remedy = error.code === 'EACCES' ? 'set PORT to one above 1023' : 'set HOST to an address of this machine, such as 0.0.0.0';
    stop(`Cannot listen on ${host}:${port} (${error.code ?? error.message}); ${remedy}.`);
  });
  server.listen(port, host, () => log.info('listening', { host, port: boundPort(server.address(), port) }));
}

/** How many responses have not been sent to their last byte, streams included. */
function countOpenResponses(server: Server): () => number {
  let open = 0;
  server.on('request', (_, response) => {
    open++;
    response.once('close', () => open--);
  });
  return () => open;
}

/** Lets the calls in flight finish, what they store, and their answers; until then, new ones are told to go elsewhere. */
function drain(callsInFlight: () => number, openResponses: () => number, closeStreams: () => void): void {
  let idleSinceMs = Date.now();
  setInterval(() => {
    if (callsInFlight() > 0) idleSinceMs = Date.now();
    const idleMs = Date.now() - idleSinceMs;
    if (idleMs < IDLE_CHECK_MS) return;
    // They would outlive their calls.
    closeStreams();
    if (openResponses() === 0 || idleMs > LAST_BYTES_TIMEOUT_MS) process.exit(0);
  }, IDLE_CHECK_MS);
  setTimeout(() => process.exit(1), DRAIN_TIMEOUT_MS);
}

function boundPort(address: ReturnType<ReturnType<typeof createAdaptorServer>['address']>, fallback: number): number {
  return typeof address === 'object' && address ? address.port : fallback;
}

function refuseToStart(problems: readonly ConfigProblem[]): void {
  const lines = problems.map(({ variable, problem }) => `  ${variable} ${problem}`);
  stop(`The gateway cannot start. Correct these variables (environment or ${LOCAL_VARIABLES}):\n${lines.join('\n')}`);
}

function stop(sentence: string): never {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

main();
