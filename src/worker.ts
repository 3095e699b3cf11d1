import { createApp, createMisconfiguredApp } from './app.ts';
import { type ConfigResult, loadConfig } from './config.ts';
import { createGateway, type Gateway } from './gateway.ts';
import { createLog } from './log.ts';
import { createDurableSessions, type SessionNamespace, serveDurableSession } from './runtime/durable-sessions.ts';
import { createWorkersRuntime } from './runtime/workers.ts';

type Env = Readonly<Record<string, unknown> & { SSE_SESSIONS: SessionNamespace }>;
type Handler = (request: Request) => Response | Promise<Response>;
type Loaded = Readonly<{ gateway: Gateway | undefined; handle: Handler }>;

/** An isolate has one environment for its whole life, so everything is made with the first request. */
let loaded: Loaded | undefined;

function load(env: Env): Loaded {
  const result = loadWorkerConfig(env);
  const log = createLog(result.ok ? result.config.server.logLevel : 'info', (line) => console.log(line));
  const runtime = createWorkersRuntime(log);
  if (!result.ok) {
    log.error('not_configured', { problems: result.problems });
    return { gateway: undefined, handle: createMisconfiguredApp(result.problems, runtime).fetch };
  }
  const gateway = createGateway(result.config, runtime);
  return { gateway, handle: createApp(gateway, { sessions: createDurableSessions(env.SSE_SESSIONS, runtime.randomUUID) }).fetch };
}

/** The configuration, and what the sessions need besides it. */
function loadWorkerConfig(env: Env): ConfigResult {
  // Workers listen nowhere themselves.
  const result = loadConfig({ ...env, HOST: undefined, PORT: undefined });
  if (env.SSE_SESSIONS) return result;
  const missing = { variable: 'SSE_SESSIONS', problem: 'must be bound to the Durable Object class SseSessionObject, as in wrangler.toml' };
  return { ok: false, problems: [...(result.ok ? [] : result.problems), missing] };
}

export default {
  fetch(request: Request, env: Env): Response | Promise<Response> {
    loaded ??= load(env);
    return loaded.handle(request);
  },
};

/** The Durable Object in which one legacy stream and its calls live. */
export class SseSessionObject {
  readonly fetch: Handler;

  constructor(_state: unknown, env: Env) {
    loaded ??= load(env);
    const { gateway } = loaded;
    this.fetch = gateway ? serveDurableSession(gateway.openSseSession) : loaded.handle;
  }
}
