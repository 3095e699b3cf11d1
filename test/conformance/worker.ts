/** The fixtures on Workers, put together as src/worker.ts puts the product together. */
import { createLog } from '../../src/log.ts';
import { createDurableSessions, type SessionNamespace, serveDurableSession } from '../../src/runtime/durable-sessions.ts';
import { createWorkersRuntime } from '../../src/runtime/workers.ts';
import { createFixtureApp, createFixtureGateway } from './fixture-app.ts';

type Env = Readonly<Record<string, unknown> & { SSE_SESSIONS: SessionNamespace }>;
type Handler = (request: Request) => Response | Promise<Response>;

let loaded: ReturnType<typeof load> | undefined;

function load(env: Env) {
  const runtime = createWorkersRuntime(createLog('error', (line) => console.log(line)));
  const fixtures = createFixtureGateway(env, runtime);
  const sessions = createDurableSessions(env.SSE_SESSIONS, runtime.randomUUID);
  return { gateway: fixtures.gateway, handle: createFixtureApp(fixtures, sessions).fetch };
}

export default {
  fetch(request: Request, env: Env): Response | Promise<Response> {
    loaded ??= load(env);
    return loaded.handle(request);
  },
};

/** The Durable Object of the legacy streams. */
export class SseSessionObject {
  readonly fetch: Handler;

  constructor(_state: unknown, env: Env) {
    loaded ??= load(env);
    this.fetch = serveDurableSession(loaded.gateway.openSseSession);
  }
}
