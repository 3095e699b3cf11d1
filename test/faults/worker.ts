/** The gateways of the matrix on Workers, put together as src/worker.ts puts the product together. */

import { createWorkersRuntime } from '../../src/runtime/workers.ts';
import { createWorkerEntry } from '../../src/worker-entry.ts';
import { createFaultsHandler } from './fault-app.ts';

const { worker, SseSessionObject } = createWorkerEntry(() => ({
  openSseSession: undefined,
  handle: createFaultsHandler(createWorkersRuntime),
}));
export default worker;
export { SseSessionObject };
