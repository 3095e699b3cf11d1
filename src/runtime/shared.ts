import type { Log } from '../log.ts';
import type { Runtime } from '../ports.ts';

/** What Node and Workers have in common. */
export function createSharedRuntime(log: Log) {
  return {
    fetch: (input, init) => fetch(input, init),
    fetchPublic: (input, init) => fetch(input, init),
    now: () => Date.now(),
    sleep,
    timeLimit: sleep,
    random: () => Math.random(),
    randomUUID: () => crypto.randomUUID(),
    log,
  } satisfies Partial<Runtime>;
}

/** Resolves after `ms`; rejects with the signal's reason when it is aborted before. */
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
