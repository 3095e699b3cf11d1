import { waitUntil } from 'cloudflare:workers';
import type { Log } from '../log.ts';
import type { Runtime } from '../ports.ts';
import { createSharedRuntime } from './shared.ts';

/** Out of the 128 MB of an isolate. */
const MEDIA_MEMORY_BYTES = 48 * 1024 * 1024;

export function createWorkersRuntime(log: Log): Runtime {
  return {
    ...createSharedRuntime(log),
    heartbeatMs: 500,
    waitUntil,
    bytesInit: (body) => ({ body }),
    // The platform itself bounds them. They could not be counted either: a call whose client has gone may end unseen.
    maxCalls: Number.POSITIVE_INFINITY,
    // The 30 s of waitUntil, and some more.
    lingerMs: 35_000,
    mediaMemoryBytes: MEDIA_MEMORY_BYTES,
  };
}
