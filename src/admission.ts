import { GatewayError } from './errors.ts';
import { STORAGE_RETRY_MS, UPSTREAM_TIMEOUT_MS } from './limits.ts';
import type { Clock } from './ports.ts';

/** Memory for media in flight, reserved before anything is billed. */
export type Admission = Readonly<{
  /**
   * Reserves `bytes`, or the whole capacity if that is less, for a call whose client `signal` stands for. Throws `busy`
   * when too little is free.
   */
  admit: (bytes: number, signal: AbortSignal) => Admitted;
}>;

type Admitted = Readonly<{ bytes: number; release: () => void }>;

/** Roughly the time an image takes. */
const RETRY_AFTER_SECONDS = 20;
/** Longer than any call lasts. */
const MAX_HELD_MS = UPSTREAM_TIMEOUT_MS + STORAGE_RETRY_MS + 60_000;

type Lease = { bytes: number; untilMs: number };

/** What a process or an isolate has, and who holds how much of it. */
export type Memory = Readonly<{ capacityBytes: number; held: Set<Lease> }>;

export function createMemory(capacityBytes: number): Memory {
  return { capacityBytes, held: new Set() };
}

/** What is held now, without what has expired. */
export function reservedBytes({ held }: Memory, { now }: Pick<Clock, 'now'>): number {
  let bytes = 0;
  for (const lease of held) {
    if (lease.untilMs < now()) held.delete(lease);
    else bytes += lease.bytes;
  }
  return bytes;
}

/**
 * `lingerMs` is how long a call may go on after its client has gone. Workers end such calls silently, so what they
 * hold must expire.
 */
export function createAdmission(memory: Memory, lingerMs: number, { now }: Pick<Clock, 'now'>): Admission {
  const { capacityBytes, held } = memory;
  return {
    admit(wanted, signal) {
      const bytes = Math.min(wanted, capacityBytes);
      if (reservedBytes(memory, { now }) + bytes > capacityBytes)
        throw new GatewayError({ kind: 'busy', retryAfterSeconds: RETRY_AFTER_SECONDS });
      const lease = { bytes, untilMs: now() + MAX_HELD_MS };
      held.add(lease);
      const shorten = () => {
        lease.untilMs = Math.min(lease.untilMs, now() + lingerMs);
      };
      signal.addEventListener('abort', shorten, { once: true });
      return {
        bytes,
        release() {
          held.delete(lease);
          signal.removeEventListener('abort', shorten);
        },
      };
    },
  };
}

/** Does work that reserves memory as it learns how much it needs, and releases all of it at the end. */
export async function withAdmitted<Result>(
  { admit }: Admission,
  signal: AbortSignal,
  work: (reserve: (bytes: number) => void) => Promise<Result>,
): Promise<Result> {
  const admitted: Admitted[] = [];
  try {
    return await work((bytes) => void admitted.push(admit(bytes, signal)));
  } finally {
    for (const { release } of admitted) release();
  }
}
