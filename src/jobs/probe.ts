import type { Clock } from '../ports.ts';
import { onAbort } from './abort.ts';
import type { Cancellations } from './cancellations.ts';
import type { JobCall } from './job-call.ts';
import type { Found, JobStore } from './job-store.ts';
import type { LiveJobs } from './live-jobs.ts';
import { type JobEntry, withoutWaiting } from './record.ts';
import type { Waiters } from './waiters.ts';

export type ProbeOptions = Readonly<{
  store: JobStore;
  live: LiveJobs;
  waiters: Waiters;
  cancellations: Cancellations;
  clock: Pick<Clock, 'now' | 'sleep'>;
}>;

export type Probe = (found: Found, earlier: readonly JobEntry[], call: JobCall) => Promise<void>;

/** How long an identical call waits to learn whether the client before it has left. */
const PROBE_MS = 2_000;
const POLL_MS = 1_000;

/**
 * Waits until the client of an earlier call turns out to have left, but not for long; for a job of another process,
 * until that shows that it lives, or its lease runs out.
 */
export function createProbe({ store, live, waiters, cancellations, clock }: ProbeOptions): Probe {
  async function probe({ place, record }: Found, earlier: readonly JobEntry[], { signal }: JobCall): Promise<void> {
    if (await releaseCancelled(place, record.principal, earlier)) return;
    const over = new AbortController();
    const left = earlier.flatMap(({ id }) => [...(live.get(id)?.waiters ?? [])]).map((waiter) => onAbort(waiter.mayHaveLeft, over.signal));
    const pause = clock.sleep(PROBE_MS, AbortSignal.any([over.signal, signal])).catch(() => {});
    await Promise.race([pause, ...left]);
    over.abort();
    if (await releaseCancelled(place, record.principal, earlier)) return;
    await awaitSignOfLife(place, earlier, signal);
  }

  /** A process that has gone renews no lease, and what it said of its client is then worth nothing. */
  async function awaitSignOfLife(place: string, earlier: readonly JobEntry[], signal: AbortSignal): Promise<void> {
    const remote = earlier.filter(({ id }) => !live.get(id));
    while (remote.length > 0 && !signal.aborted) {
      const present = (await store.load(place))?.record.jobs ?? [];
      const isSilent = ({ id, lease_ms, state }: JobEntry) => {
        const job = present.find((entry) => entry.id === id);
        return job?.waiting !== undefined && job.state === state && job.lease_ms === lease_ms && lease_ms >= clock.now();
      };
      if (!remote.some(isSilent)) return;
      await clock.sleep(POLL_MS, signal).catch(() => {});
    }
  }

  /** Another process may have received the cancellation of a call that is said to wait. */
  async function releaseCancelled(place: string, principalId: string, earlier: readonly JobEntry[]): Promise<boolean> {
    const released = await Promise.all(
      earlier.map(async ({ id, waiting, started_ms }) => {
        if (waiting === undefined || (await cancellations.lastMs(principalId, waiting)) < started_ms) return false;
        if (live.get(id)) return waiters.cancel(principalId, waiting) === 'known';
        return (await store.update(place, id, (job) => (job.waiting === waiting ? withoutWaiting(job) : undefined))) !== undefined;
      }),
    );
    return released.includes(true);
  }

  return probe;
}
