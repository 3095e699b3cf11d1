import { hash } from 'node:crypto';
import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { Agent } from 'undici';
import type { Log } from '../log.ts';
import { isPublicAddress } from '../media/input-file.ts';
import type { Runtime, SmallAnswer } from '../ports.ts';
import { openFolder } from './node-folder.ts';
import { createShrinkImage } from './node-images.ts';
import { fetchSmall } from './node-small-fetch.ts';
import { createSharedRuntime } from './shared.ts';

/** Node's fetch times out after five minutes without headers or bytes; callers set their own limits instead. */
const NO_TIMEOUTS = { headersTimeout: 0, bodyTimeout: 0 };

const CHUNK_BYTES = 64 * 1024;
const MIB = 1024 * 1024;

/** `watchers`: who else is told of events. */
export function createNodeRuntime(log: Log, watchers: Pick<Runtime, 'sinks' | 'scrape' | 'tracing'> = {}): Runtime {
  return {
    ...watchers,
    ...createSharedRuntime(log),
    fetch: fetchThrough(NO_TIMEOUTS),
    fetchPublic: fetchThrough({ ...NO_TIMEOUTS, connect: { lookup: publicLookup } }),
    bytesInit: createBytesInit,
    // WebCrypto would take a turn of the thread pool for each request: 35 µs instead of 0.3.
    sha256: (text) => hash('sha256', text),
    heartbeatMs: 15_000,
    lastByteMs: 0,
    // With a heap of 192 MB, 2,600 concurrent calls crashed the process.
    maxCalls: 2_050,
    outlivesClients: true,
    maxJobs: 500,
    mediaMemoryBytes: 256 * MIB,
    shrinkImage: createShrinkImage(),
    openFolder,
    lingerMs: Number.POSITIVE_INFINITY,
    // A Node process keeps working after a client disconnects.
    waitUntil: () => {},
  };
}

/** Streams the bytes, because fetch would copy a byte array. */
function createBytesInit(bytes: Uint8Array<ArrayBuffer>): RequestInit {
  let offset = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (offset >= bytes.byteLength) return controller.close();
      controller.enqueue(bytes.subarray(offset, offset + CHUNK_BYTES));
      offset += CHUNK_BYTES;
    },
  });
  // Unless redirects are errors, Node's fetch keeps the whole body in case it has to resend it.
  return { body, duplex: 'half', headers: { 'content-length': String(bytes.byteLength) }, redirect: 'error' } as RequestInit;
}

/** With the first request, undici is loaded: otherwise, that would be a sixth of the time to start. */
function fetchThrough(options: Agent.Options): typeof fetch {
  let agent: Agent | undefined;
  return async (input, init?: RequestInit & SmallAnswer) => {
    agent ??= new (await import('undici')).default.Agent(options);
    return init?.isSmallAnswer ? fetchSmall(agent, String(input), init) : fetch(input, { ...init, dispatcher: agent } as RequestInit);
  };
}

/**
 * Resolves a name for the connection itself, so that a DNS change cannot bypass the check, and rejects names that
 * resolve to private addresses. `localhost` is explicit about where it points and is allowed.
 */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const isAllowed = hostname === 'localhost' || addresses?.every(({ address }) => isPublicAddress(address));
    const rejection = isAllowed ? null : Object.assign(new Error(`${hostname} resolves to a private address`), { code: 'EPRIVATE' });
    const [first] = addresses ?? [];
    if (options.all || !first) callback(error ?? rejection, addresses ?? []);
    else callback(error ?? rejection, first.address, first.family);
  });
};
