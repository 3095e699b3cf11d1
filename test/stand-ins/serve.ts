import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { isMainThread } from 'node:worker_threads';
import { createAdaptorServer } from '@hono/node-server';

/** Tests connect more clients at once than Node's 511. */
const BACKLOG = 4096;

export type RunningServer = { url: string; close: () => Promise<void> };

/** Serves an app on loopback; port 0 takes any that is free. */
export async function serve(app: { fetch: (request: Request) => Response | Promise<Response> }, port = 0): Promise<RunningServer> {
  // In a thread that runs tests, the globals are theirs.
  const server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: isMainThread });
  server.listen({ port, host: '127.0.0.1', backlog: BACKLOG });
  await once(server, 'listening');
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${bound}`,
    close: async () => {
      if ('closeAllConnections' in server) server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
