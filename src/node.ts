import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { createAdaptorServer } from '@hono/node-server';
import { createApp } from './app.ts';
import { type Config, type ConfigProblem, loadConfig } from './config.ts';
import { createGateway } from './gateway.ts';
import { createLog } from './log.ts';
import { createMemorySessions } from './mcp/sse-sessions.ts';
import { createNodeRuntime } from './runtime/node.ts';

const LOCAL_VARIABLES = '.dev.vars';
/** Slow senders would otherwise hold their connections for minutes. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const CONNECTIONS_CHECKING_INTERVAL_MS = 5_000;
/** Longer than the idle time of common load balancers, so that they and not we close first. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** Calls in flight are paid for, so they may finish; the platform's own grace period is usually shorter. */
const DRAIN_TIMEOUT_MS = 5 * 60_000;
const IDLE_CHECK_MS = 100;

function main(): void {
  const loaded = loadConfig(readEnvironment());
  if (loaded.ok) serve(loaded.config);
  else refuseToStart(loaded.problems);
}

/** The process's variables, and for those that are unset or empty the file's. */
function readEnvironment(): Record<string, string | undefined> {
  const fromFile = existsSync(LOCAL_VARIABLES) ? parseEnv(readFileSync(LOCAL_VARIABLES, 'utf8')) : {};
  const set = Object.entries(process.env).filter(([, value]) => value?.trim());
  return { ...fromFile, ...Object.fromEntries(set) };
}

function serve(config: Config): void {
  const log = createLog(config.server.logLevel, (line) => process.stdout.write(`${line}\n`));
  let draining = false;
  const runtime = createNodeRuntime(log);
  const gateway = createGateway(config, runtime);
  const sessions = createMemorySessions(gateway.openSseSession, runtime.randomUUID);
  const app = createApp(gateway, { sessions, isDraining: () => draining });
  const server = createAdaptorServer({
    fetch: app.fetch,
    serverOptions: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: CONNECTIONS_CHECKING_INTERVAL_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    },
  });
  const { host, port } = config.server;
  server.on('error', (error: NodeJS.ErrnoException) => {
    const sentence =
      error.code === 'EADDRINUSE'
        ? `Port ${port} is taken; set PORT to another one.`
        : `Cannot listen on ${host}:${port}: ${error.message}`;
    process.stderr.write(`${sentence}\n`);
    process.exit(1);
  });
  server.listen(port, host, () => log.info('listening', { host, port: boundPort(server.address(), port) }));

  const drain = (signal: NodeJS.Signals): void => {
    if (draining) process.exit(1);
    draining = true;
    log.info('draining', { signal });
    let isClosed = false;
    server.close(() => {
      isClosed = true;
    });
    setInterval(() => {
      // A connection that becomes idle after the close would be kept for its whole keep-alive time.
      if ('closeIdleConnections' in server) server.closeIdleConnections();
      if (gateway.callsInFlight() > 0) return;
      // Streams that outlive their calls would never end by themselves.
      sessions.closeAll();
      void gateway.streamableHttp.close();
      if (isClosed) process.exit(0);
    }, IDLE_CHECK_MS);
    setTimeout(() => process.exit(1), DRAIN_TIMEOUT_MS).unref();
  };
  process.on('SIGTERM', drain);
  process.on('SIGINT', drain);
}

function boundPort(address: ReturnType<ReturnType<typeof createAdaptorServer>['address']>, fallback: number): number {
  return typeof address === 'object' && address ? address.port : fallback;
}

function refuseToStart(problems: readonly ConfigProblem[]): void {
  const lines = problems.map(({ variable, problem }) => `  ${variable} ${problem}`);
  process.stderr.write(`The gateway cannot start. Correct these variables (environment or ${LOCAL_VARIABLES}):\n${lines.join('\n')}\n`);
  process.exit(1);
}

main();
