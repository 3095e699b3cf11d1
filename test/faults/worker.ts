/** The gateways of the matrix on Workers, each in a Durable Object of its own: jobs outlive the request that starts them. */

import type { SessionNamespace } from '../../src/mcp/sse-durable-sessions.ts';
import { createObjectRuntime, createWorkersRuntime } from '../../src/runtime/workers.ts';
import { ENVIRONMENT_HEADER } from './control.ts';
import { createFaultsHandler } from './fault-app.ts';

class FaultObject {
  readonly fetch: (request: Request) => Response | Promise<Response>;

  constructor(state: Parameters<typeof createObjectRuntime>[1]) {
    this.fetch = createFaultsHandler((log) => createObjectRuntime(createWorkersRuntime(log), state));
  }
}

export default {
  fetch(request: Request, { JOBS }: { JOBS: SessionNamespace }): Promise<Response> {
    return JOBS.get(JOBS.idFromName(request.headers.get(ENVIRONMENT_HEADER) ?? '')).fetch(request);
  },
};
export { FaultObject as AccountObject, FaultObject as JobObject, FaultObject as SseSessionObject };
