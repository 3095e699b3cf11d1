import type { Hono } from 'hono';
import { createApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { createGateway } from '../../src/gateway.ts';
import type { HttpEnv } from '../../src/http/errors.ts';
import { createLog, type Log } from '../../src/log.ts';
import { createMemorySessions } from '../../src/mcp/sse-sessions.ts';
import type { Runtime } from '../../src/ports.ts';
import { createRedactor } from '../../src/redact.ts';
import { createAdjustableClock } from './clock.ts';
import { CLOCK_PATH, ENVIRONMENT_HEADER, LOG_PATH } from './control.ts';

/**
 * The product's app, once for each environment that requests bring along: so that the cells of the matrix, each with a
 * gateway of its own, share one process. Beside its routes are those of its clock and of its log.
 */
export function createFaultsHandler(createRuntime: (log: Log) => Runtime): (request: Request) => Response | Promise<Response> {
  const apps = new Map<string, Hono<HttpEnv>>();
  return (request) => {
    const environment = request.headers.get(ENVIRONMENT_HEADER) ?? '{}';
    const app = apps.get(environment) ?? createFaultApp(JSON.parse(environment), createRuntime);
    apps.set(environment, app);
    return app.fetch(request);
  };
}

function createFaultApp(env: Record<string, unknown>, createRuntime: (log: Log) => Runtime): Hono<HttpEnv> {
  const loaded = loadConfig(env);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const lines: string[] = [];
  const runtime = createRuntime(
    createLog('debug', { write: (line) => lines.push(line), redact: createRedactor(loaded.config.secrets), now: Date.now }),
  );
  const { setSpeed, ...clock } = createAdjustableClock(runtime.sleep);
  const gateway = createGateway(loaded.config, { ...runtime, ...clock });
  const sessions = createMemorySessions(gateway.openSseSession, runtime.randomUUID);
  return createApp(gateway, { sessions })
    .get(LOG_PATH, (c) => c.text(lines.join('\n')))
    .get(CLOCK_PATH, (c) => c.json(clock.now()))
    .put(CLOCK_PATH, async (c) => {
      setSpeed(await c.req.json<number>());
      return c.body(null, 204);
    });
}
