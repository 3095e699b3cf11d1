import { createApp, createMisconfiguredApp } from './app.ts';
import { loadConfig } from './config.ts';
import { createGateway } from './gateway.ts';
import { createLog } from './log.ts';
import { createRuntime } from './runtime.ts';

type Env = Readonly<Record<string, unknown>>;
type App = ReturnType<typeof createApp>;

/** An isolate has one environment for its whole life, so the app is made with the first request. */
let app: App | undefined;

function createWorkerApp(env: Env): App {
  const loaded = loadConfig(env);
  const log = createLog(loaded.ok ? loaded.config.server.logLevel : 'info', (line) => console.log(line));
  const runtime = createRuntime(log);
  return loaded.ok ? createApp(createGateway(loaded.config, runtime)) : createMisconfiguredApp(loaded.problems, runtime);
}

export default {
  fetch(request: Request, env: Env): Response | Promise<Response> {
    app ??= createWorkerApp(env);
    return app.fetch(request);
  },
};
