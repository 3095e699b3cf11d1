import { type SessionNamespace, serveDurableSession } from './mcp/sse-durable-sessions.ts';
import type { OpenSseSession } from './mcp/sse-sessions.ts';

export type WorkerEnv = Readonly<Record<string, unknown> & { SSE_SESSIONS: SessionNamespace }>;
type Handler = (request: Request) => Response | Promise<Response>;

/** What answers requests, and what opens sessions, if anything can be opened. */
export type LoadedWorker = Readonly<{ handle: Handler; openSseSession: OpenSseSession | undefined }>;

/** What a Worker exports: its `fetch`, and the class of the Durable Object in which one legacy stream and its calls live. */
export function createWorkerEntry(load: (env: WorkerEnv) => LoadedWorker) {
  /** An isolate has one environment for its whole life, so everything is made with the first request. */
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
