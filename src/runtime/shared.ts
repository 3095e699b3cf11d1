import type { Log } from '../log.ts';
import type { Runtime } from '../ports.ts';

/** The ports that Node and Workers share. */
export function createSharedRuntime(log: Log) {
  return {
    fetch: (input, init) => fetch(input, init),
    fetchPublic: (input, init) => fetch(input, init),
    now: () => Date.now(),
    sleep,
    timeLimit: sleep,
    random: () => Math.random(),
    randomUUID: () => crypto.randomUUID(),
    sha256: async (text) => new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))).toHex(),
    log,
  } satisfies Partial<Runtime>;
}

/** Resolves after `ms`; rejects with the signal's reason if it aborts first. */
function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
