import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { MAX_PIPELINED_REQUESTS } from './limits.ts';

/**
 * The responses, including streams, that have not been sent completely. A connection that asks for more while too many of
 * its requests wait is closed: whatever has been made of each response would be held until those before it are taken.
 */
export function trackOpenResponses(server: Server): ReadonlySet<ServerResponse> {
  const open = new Set<ServerResponse>();
  const bySocket = new WeakMap<Socket, Set<ServerResponse>>();

  function ownOf(socket: Socket): Set<ServerResponse> {
    const known = bySocket.get(socket);
    if (known) return known;
    const own = new Set<ServerResponse>();
    bySocket.set(socket, own);
    socket.once('close', () => {
      // Node 20 closes the first one only: those that waited for it would be kept, and never told that their client has gone.
      for (const response of own) if (!response.socket) response.emit('close');
    });
    return own;
  }

  // Before the request is handled.
  server.prependListener('request', ({ socket }, response) => {
    const own = ownOf(socket);
    for (const responses of [open, own]) {
      responses.add(response);
      response.once('close', () => responses.delete(response));
    }
    if (own.size > MAX_PIPELINED_REQUESTS) socket.destroy();
  });
  return open;
}
