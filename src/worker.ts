import type { ExecutionContext } from 'hono';
import { createApp, createMisconfiguredApp } from './app.ts';
import { loadConfig } from './config.ts';
import { createGateway } from './gateway.ts';
import { createLog } from './log.ts';
import { createWorkersRuntime } from './runtime/workers.ts';

type Env = Readonly<Record<string, unknown>>;
type App = ReturnType<typeof createApp>;

/** An isolate has one environment for its whole life, so the app is made with the first request. */
let app: App | undefined;

function createWorkerApp(env: Env): App {
  const loaded = loadConfig(env);
  const log = createLog(loaded.ok ? loaded.config.server.logLevel : 'info', (line) => console.log(line));
  const runtime = createWorkersRuntime(log);
  return loaded.ok ? createApp(createGateway(loaded.config, runtime)) : createMisconfiguredApp(loaded.problems, runtime);
}

export default {
  fetch(request: Request, env: Env, context: ExecutionContext): Response | Promise<Response> {
    app ??= createWorkerApp(env);
    return app.fetch(request, env, context);
  },
};
