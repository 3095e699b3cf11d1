import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent } from 'undici';
import type { Log } from '../log.ts';
import { isPublicAddress } from '../media/input-image.ts';
import type { Runtime } from '../ports.ts';
import { createSharedRuntime } from './shared.ts';

/** Node's fetch gives up after five minutes without headers or bytes; how long to wait is decided by the callers. */
const NO_TIMEOUTS = { headersTimeout: 0, bodyTimeout: 0 };

const CHUNK_BYTES = 64 * 1024;
const MIB = 1024 * 1024;

export function createNodeRuntime(log: Log): Runtime {
  return {
    ...createSharedRuntime(log),
    fetch: fetchThrough(new Agent(NO_TIMEOUTS)),
    fetchPublic: fetchThrough(new Agent({ ...NO_TIMEOUTS, connect: { lookup: publicLookup } })),
    bytesInit: createBytesInit,
    heartbeatMs: 15_000,
    // With the heap that the container allows, 2,600 calls at once have ended the process.
    maxCalls: 2_050,
    mediaMemoryBytes: 256 * MIB,
    lingerMs: Number.POSITIVE_INFINITY,
    // A process goes on with its work, whoever has gone.
    waitUntil: () => {},
  };
}

/** Given bytes as such, fetch would first make a copy of them. */
function createBytesInit(bytes: Uint8Array<ArrayBuffer>): RequestInit {
  let offset = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (offset >= bytes.byteLength) return controller.close();
      controller.enqueue(bytes.subarray(offset, offset + CHUNK_BYTES));
      offset += CHUNK_BYTES;
    },
  });
  // Unless redirects are errors, Node's fetch keeps the whole body for the case that it has to send it again.
  return { body, duplex: 'half', headers: { 'content-length': String(bytes.byteLength) }, redirect: 'error' } as RequestInit;
}

function fetchThrough(dispatcher: Agent): typeof fetch {
  return (input, init) => fetch(input, { ...init, dispatcher } as RequestInit);
}

/**
 * Looks a name up as the connection is made, so that it cannot point elsewhere a moment later, and refuses names that
 * point into a private network. `localhost` says openly where it points.
 */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const isAllowed = hostname === 'localhost' || addresses?.every(({ address }) => isPublicAddress(address));
    const refused = isAllowed ? null : Object.assign(new Error(`${hostname} is at a private address`), { code: 'EPRIVATE' });
    const [first] = addresses ?? [];
    if (options.all || !first) callback(error ?? refused, addresses ?? []);
    else callback(error ?? refused, first.address, first.family);
  });
};
