import type { Config } from './config.ts';
import { ABOUT, createGateway, VERSION } from './gateway.ts';
import { STORAGE_RETRY_MS, UPSTREAM_TIMEOUT_MS } from './limits.ts';
import { createLog, type Log } from './log.ts';
import type { Runtime } from './ports.ts';
import { createRedactor } from './redact.ts';
import { createNodeRuntime } from './runtime/node.ts';
import { loadTracing } from './runtime/node-tracing.ts';

/** Calls in flight are billed, so they may finish and be stored; the platform's grace period is usually shorter. */
const DRAIN_TIMEOUT_MS = UPSTREAM_TIMEOUT_MS + STORAGE_RETRY_MS + 60_000;
const IDLE_CHECK_MS = 100;
/** Time to record which jobs did not end. */
const INTERRUPT_TIMEOUT_MS = 3_000;
/** Time to export the last spans. */
const FLUSH_TIMEOUT_MS = 3_000;
/** Npm passes on to its program what the terminal has sent to both; a person who asks again is slower. */
const SAME_SIGNAL_MS = 1_000;
/** Time for clients to read the rest of their responses after the last call has ended. */
const LAST_BYTES_TIMEOUT_MS = 5_000;

/** A way in which clients reach the gateway, when the process is to end. */
type Served = Readonly<{
  /** How many responses, including streams, have not been sent completely. */
  openResponses: () => number;
  /** Ends what would outlive its calls. */
  closeStreams: () => void;
}>;

/** The gateway of this process. */
export type NodeGateway = Readonly<{
  gateway: ReturnType<typeof createGateway>;
  log: Log;
  /** While true, new calls are rejected. */
  isDraining: () => boolean;
  /** Ends the process once the calls in flight have finished, including storage and responses. */
  drain: (why: Readonly<Record<string, string>>) => void;
  serving: (served: Served) => void;
}>;

/** All that takes time to load, before the gateway itself. */
export type PreparedGateway = Readonly<{
  /** Starts the gateway; signals end it: the first lets calls finish, a second does not wait. */
  open: (server: Config['server']) => NodeGateway;
}>;

export async function prepareGateway(config: Config, logTo: NodeJS.WriteStream): Promise<PreparedGateway> {
  const log = createLog(config.server.logLevel, {
    write: createLineWriter(logTo),
    redact: createRedactor(config.secrets),
    now: Date.now,
  });
  const metrics = config.server.metricsKey ? (await import('./runtime/node-metrics.ts')).createNodeMetrics() : undefined;
  const tracing = await loadTracing(ABOUT.name, VERSION);
  const runtime = createNodeRuntime(log, { sinks: metrics && [metrics.sink], scrape: metrics?.scrape, tracing });
  return { open: (server) => startGateway({ ...config, server }, runtime, () => tracing?.flush()) };
}

function startGateway(config: Config, runtime: Runtime, flushTraces: () => Promise<void> | undefined): NodeGateway {
  const { log } = runtime;
  const gateway = createGateway(config, runtime);
  const all: Served[] = [];
  let isDraining = false;
  let askedAtMs: number | undefined;

  /** What clients were told to come back for is then known to be lost. */
  const giveUp = async (): Promise<never> => {
    const told = async () => {
      await gateway.jobs?.interruptAll();
      await gateway.close();
    };
    await Promise.race([told(), runtime.sleep(INTERRUPT_TIMEOUT_MS)]).catch(() => {});
    process.exit(1);
  };

  const drain: NodeGateway['drain'] = (why) => {
    if (isDraining) return;
    isDraining = true;
    log.info('draining', why);
    exitWhenIdle({
      callsInFlight: gateway.callsInFlight,
      openResponses: () => all.reduce((sum, { openResponses }) => sum + openResponses(), 0),
      closeStreams: () => {
        for (const { closeStreams } of all) closeStreams();
      },
      flush: () =>
        Promise.race([Promise.all([gateway.close(), flushTraces()]), runtime.sleep(FLUSH_TIMEOUT_MS)]).then(
          () => {},
          () => {},
        ),
      giveUp,
    });
  };

  const onSignal = (signal: NodeJS.Signals): void => {
    askedAtMs ??= Date.now();
    if (Date.now() - askedAtMs > SAME_SIGNAL_MS) void giveUp();
    drain({ signal });
  };
  // SIGHUP: the terminal is closed.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, onSignal);
  return { gateway, log, isDraining: () => isDraining, drain, serving: (served) => void all.push(served) };
}

/** Writes what has been logged in one turn of the event loop at once: a write for each line took 7 % of a small request. */
function createLineWriter(to: NodeJS.WriteStream): (line: string) => void {
  let lines = '';
  const flush = () => {
    if (lines) to.write(lines);
    lines = '';
  };
  // Whoever reads the log may have gone while calls are in flight.
  to.on('error', () => {});
  process.on('exit', flush);
  return (line) => {
    if (!lines) setImmediate(flush);
    lines += `${line}\n`;
  };
}

type Draining = Served &
  Readonly<{
    callsInFlight: () => number;
    /** Writes and exports what is still held. Never rejects. */
    flush: () => Promise<void>;
    /** Ends the process although calls are in flight. */
    giveUp: () => Promise<never>;
  }>;

function exitWhenIdle({ callsInFlight, openResponses, closeStreams, flush, giveUp }: Draining): void {
  let idleSinceMs = Date.now();
  const checking = setInterval(() => {
    if (callsInFlight() > 0) idleSinceMs = Date.now();
    const idleMs = Date.now() - idleSinceMs;
    if (idleMs < IDLE_CHECK_MS) return;
    // Legacy streams would outlive their calls.
    closeStreams();
    if (openResponses() > 0 && idleMs <= LAST_BYTES_TIMEOUT_MS) return;
    clearInterval(checking);
    void flush().then(() => process.exit(0));
  }, IDLE_CHECK_MS);
  setTimeout(() => void giveUp(), DRAIN_TIMEOUT_MS);
}
