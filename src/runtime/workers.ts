import { waitUntil } from 'cloudflare:workers';
import type { Runtime } from '../gateway.ts';
import type { Log } from '../log.ts';
import { createSharedRuntime } from './shared.ts';

/** A stream of the Workers runtime; fetch takes the Content-Length of a body from it, and from nowhere else. */
declare const FixedLengthStream: new (lengthBytes: number) => TransformStream<Uint8Array, Uint8Array>;

export function createWorkersRuntime(log: Log): Runtime {
  return {
    ...createSharedRuntime(log),
    keepAliveMs: 500,
    waitUntil,
    bytesInit: (body) => ({ body }),
    fixedLengthBody(lengthBytes) {
      const { readable, writable } = new FixedLengthStream(lengthBytes);
      const writer = writable.getWriter();
      writer.closed.catch(() => {});
      return {
        init: { body: readable },
        // A write ends when its bytes have been taken, so their memory is free again.
        write: (chunk) => succeeds(writer.write(chunk)),
        close: async () => void (await succeeds(writer.close())),
        abort: async () => void (await succeeds(writer.abort())),
      };
    },
  };
}

function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}
