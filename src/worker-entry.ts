import { type SessionNamespace, serveDurableSession } from './mcp/sse-durable-sessions.ts';
import type { OpenSseSession } from './mcp/sse-sessions.ts';

export type WorkerEnv = Readonly<Record<string, unknown> & { SSE_SESSIONS: SessionNamespace }>;
type Handler = (request: Request) => Response | Promise<Response>;

/** The request handler, and the session opener unless the Worker is misconfigured. */
export type LoadedWorker = Readonly<{ handle: Handler; openSseSession: OpenSseSession | undefined }>;

/** The exports of a Worker: its `fetch`, and the Durable Object class that hosts one legacy stream and its calls. */
export function createWorkerEntry(load: (env: WorkerEnv) => LoadedWorker) {
  /** An isolate keeps one environment for life, so everything is created on the first request. */
  let loaded: LoadedWorker | undefined;

  function loadOnce(env: WorkerEnv): LoadedWorker {
    loaded ??= load(env);
    return loaded;
  }

  class SseSessionObject {
    readonly fetch: Handler;

    constructor(_state: unknown, env: WorkerEnv) {
      const { openSseSession, handle } = loadOnce(env);
      this.fetch = openSseSession ? serveDurableSession(openSseSession) : handle;
    }
  }

  return { worker: { fetch: (request: Request, env: WorkerEnv) => loadOnce(env).handle(request) }, SseSessionObject };
}
