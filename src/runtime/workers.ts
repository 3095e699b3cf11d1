import type { Runtime } from '../gateway.ts';
import type { Log } from '../log.ts';
import { createSharedRuntime } from './shared.ts';

/** A stream of the Workers runtime; fetch takes the Content-Length of a body from it, and from nowhere else. */
declare const FixedLengthStream: new (lengthBytes: number) => TransformStream<Uint8Array, Uint8Array>;

export function createWorkersRuntime(log: Log): Runtime {
  return {
    ...createSharedRuntime(log),
    fixedLengthInit: (body, lengthBytes) => ({ body: body.pipeThrough(new FixedLengthStream(lengthBytes)) }),
  };
}
