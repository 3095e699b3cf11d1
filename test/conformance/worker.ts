/** The fixtures on Workers, put together as src/worker.ts puts the product together. */
import { createLog } from '../../src/log.ts';
import { createDurableSessions } from '../../src/mcp/sse-durable-sessions.ts';
import { createRedactor } from '../../src/redact.ts';
import { createWorkersRuntime } from '../../src/runtime/workers.ts';
import { createWorkerEntry } from '../../src/worker-entry.ts';
import { createFixtureApp, createFixtureGateway } from './fixture-app.ts';

const { worker, SseSessionObject } = createWorkerEntry((env) => {
  const runtime = createWorkersRuntime(
    createLog('error', { write: (line) => console.log(line), redact: createRedactor([]), now: Date.now }),
  );
  const fixtures = createFixtureGateway(env, runtime);
  const sessions = createDurableSessions(env.SSE_SESSIONS, runtime);
  return { openSseSession: fixtures.gateway.openSseSession, handle: createFixtureApp(fixtures, sessions).fetch };
});
export default worker;
export { SseSessionObject };
