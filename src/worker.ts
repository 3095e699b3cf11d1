import { createApp, createMisconfiguredApp } from './app.ts';
import { type ConfigResult, loadConfig } from './config.ts';
import { createGateway, logStart } from './gateway.ts';
import { createLog } from './log.ts';
import { createDurableSessions } from './mcp/sse-durable-sessions.ts';
import { createRedactor } from './redact.ts';
import { createWorkersRuntime } from './runtime/workers.ts';
import { createWorkerEntry, type LoadedWorker, type WorkerEnv } from './worker-entry.ts';

const { worker, SseSessionObject } = createWorkerEntry(load);
export default worker;
export { SseSessionObject };

function load(env: WorkerEnv): LoadedWorker {
  const result = loadWorkerConfig(env);
  const log = createLog(result.ok ? result.config.server.logLevel : 'info', {
    write: (line) => console.log(line),
    redact: createRedactor(result.ok ? result.config.secrets : []),
    now: Date.now,
  });
  const runtime = createWorkersRuntime(log);
  if (!result.ok) {
    log.error('not_configured', { problems: result.problems });
    logStart([], result.warnings, log);
    return { openSseSession: undefined, handle: createMisconfiguredApp(result.problems, runtime).fetch };
  }
  const gateway = createGateway(result.config, runtime);
  logStart(gateway.features, result.warnings, log);
  const sessions = createDurableSessions(env.SSE_SESSIONS, runtime);
  return { openSseSession: gateway.openSseSession, handle: createApp(gateway, { sessions }).fetch };
}

/** Loads the configuration and checks the binding that sessions need. */
function loadWorkerConfig(env: WorkerEnv): ConfigResult {
  // Workers do not listen on a port.
  const result = loadConfig({ ...env, HOST: undefined, PORT: undefined });
  if (env.SSE_SESSIONS) return result;
  const missing = { variable: 'SSE_SESSIONS', problem: 'must be bound to the Durable Object class SseSessionObject, as in wrangler.toml' };
  return { ok: false, problems: [...(result.ok ? [] : result.problems), missing], warnings: result.warnings };
}
