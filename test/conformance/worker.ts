/** The fixtures on Workers, put together as src/worker.ts puts the product together. */
import { assemble } from '../../src/gateway.ts';
import { createLog } from '../../src/log.ts';
import { createCallForwarder } from '../../src/mcp/durable-calls.ts';
import { createDurableSessions } from '../../src/mcp/sse-durable-sessions.ts';
import { createRedactor } from '../../src/redact.ts';
import { createObjectRuntime, createWorkersRuntime } from '../../src/runtime/workers.ts';
import { createWorkerEntry } from '../../src/worker-entry.ts';
import { createFixtureApp, createFixtures } from './fixture-app.ts';

const { worker, SseSessionObject, JobObject, AccountObject } = createWorkerEntry((env) => {
  const log = createLog('error', { write: (line) => console.log(line), redact: createRedactor([]), now: Date.now });
  const runtime = createWorkersRuntime(log);
  const fixtures = createFixtures(env, runtime);
  const sessions = createDurableSessions(env.SSE_SESSIONS, runtime);
  const forwardCall = createCallForwarder(env.JOBS, log);
  return {
    assembleObject: (state, onJobsChange) => assemble(fixtures.parts, createObjectRuntime(runtime, state), { onJobsChange }),
    handle: createFixtureApp(assemble(fixtures.parts, runtime), fixtures, { sessions, forwardCall }).fetch,
  };
});
export default worker;
export { AccountObject, JobObject, SseSessionObject };
