import { GatewayError } from './errors.ts';
import { STORAGE_RETRY_MS, UPSTREAM_TIMEOUT_MS } from './limits.ts';
import type { Clock } from './ports.ts';

/** Memory for media in flight, given out before anything is billed. */
export type Admission = Readonly<{
  /**
   * Reserves `bytes`, or all there is if that is less, for a call whose client `signal` stands for; throws `busy` when so
   * much is not free now.
   */
  admit: (bytes: number, signal: AbortSignal) => Admitted;
}>;

type Admitted = Readonly<{ bytes: number; release: () => void }>;

/** About as long as an image takes. */
const RETRY_AFTER_SECONDS = 20;
/** Longer than any call: what is held then is held by nobody. */
const MAX_HELD_MS = UPSTREAM_TIMEOUT_MS + STORAGE_RETRY_MS + 60_000;

/**
 * `lingerMs` is how long a call may go on after its client has gone. Workers end such calls without a word, so that
 * nobody would ever give back what they hold.
 */
export function createAdmission(capacityBytes: number, lingerMs: number, { now }: Pick<Clock, 'now'>): Admission {
  const held = new Set<{ bytes: number; untilMs: number }>();

  function usedBytes(): number {
    let used = 0;
    for (const lease of held) {
      if (lease.untilMs < now()) held.delete(lease);
      else used += lease.bytes;
    }
    return used;
  }

  return {
    admit(wanted, signal) {
      const bytes = Math.min(wanted, capacityBytes);
      if (usedBytes() + bytes > capacityBytes) throw new GatewayError({ kind: 'busy', retryAfterSeconds: RETRY_AFTER_SECONDS });
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
