import { createApp, createMisconfiguredApp } from './app.ts';
import { type ConfigResult, loadConfig } from './config.ts';
import { assemble, createParts, logStart } from './gateway.ts';
import { createLog } from './log.ts';
import { createCallForwarder } from './mcp/durable-calls.ts';
import { createDurableSessions } from './mcp/sse-durable-sessions.ts';
import { createRedactor } from './redact.ts';
import { createObjectRuntime, createWorkersRuntime } from './runtime/workers.ts';
import { createDurableLedger } from './usage/durable-ledger.ts';
import { createWorkerEntry, type LoadedWorker, type WorkerEnv } from './worker-entry.ts';

const { worker, SseSessionObject, JobObject, AccountObject } = createWorkerEntry(load);
export default worker;
export { AccountObject, JobObject, SseSessionObject };

/** The Durable Object class of each binding. */
const BINDINGS = { SSE_SESSIONS: 'SseSessionObject', JOBS: 'JobObject', ACCOUNTS: 'AccountObject' };

function load(env: WorkerEnv): LoadedWorker {
  const result = loadWorkerConfig(env);
  const log = createLog(result.ok ? result.config.server.logLevel : 'info', {
    write: (line) => console.log(line),
    redact: createRedactor(result.ok ? result.config.secrets : []),
    now: Date.now,
  });
  const runtime = createWorkersRuntime(log, env);
  if (!result.ok) {
    log.error('not_configured', { problems: result.problems });
    logStart([], result.warnings, log);
    return { assembleObject: undefined, handle: createMisconfiguredApp(result.problems, runtime).fetch };
  }
  const parts = createParts(result.config, runtime);
  logStart(parts.features, result.warnings, log);
  const sessions = createDurableSessions(env.SSE_SESSIONS, runtime);
  const forwardCall = createCallForwarder(env.JOBS, log);
  return {
    assembleObject(state, onJobsChange) {
      const own = createObjectRuntime(runtime, state);
      return assemble(parts, own, { onJobsChange, ledger: createDurableLedger(env.ACCOUNTS, own) });
    },
    handle: createApp(assemble(parts, runtime, { ledger: createDurableLedger(env.ACCOUNTS, runtime) }), { sessions, forwardCall }).fetch,
  };
}

/** Loads the configuration and checks the bindings. */
function loadWorkerConfig(env: WorkerEnv): ConfigResult {
  // Workers do not listen on a port.
  const result = loadConfig({ ...env, HOST: undefined, PORT: undefined }, { ownStore: env.MEDIA && 'r2' });
  const missing = Object.entries(BINDINGS)
    .filter(([variable]) => !env[variable])
    .map(([variable, name]) => ({ variable, problem: `must be bound to the Durable Object class ${name}, as in wrangler.toml` }));
  if (missing.length === 0) return result;
  return { ok: false, problems: [...(result.ok ? [] : result.problems), ...missing], warnings: result.warnings };
}
