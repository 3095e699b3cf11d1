import type { Clock } from '../ports.ts';
import type { JobStore } from './job-store.ts';
import type { LocalJob } from './local-job.ts';
import { interrupted, isOrphaned, type JobEntry } from './record.ts';

export type SweepOptions = Readonly<{
  store: Pick<JobStore, 'load' | 'update'>;
  /** The jobs of this process, by id. */
  live: ReadonlyMap<string, LocalJob>;
  clock: Pick<Clock, 'now'>;
  /** A job has been marked. */
  onInterrupted: (job: JobEntry, principalId: string, tool: string) => void;
}>;

/**
 * Marks the jobs of one record that have lost their process as interrupted, and nothing else: those with a checkpoint
 * can be continued. Resolves to when the next lease ends, or `undefined` if none is left to watch.
 */
export function createSweep({ store, live, clock, onInterrupted }: SweepOptions): (place: string) => Promise<number | undefined> {
  return async (place) => {
    const found = await store.load(place);
    const leasesMs: number[] = [];
    for (const entry of found?.record.jobs ?? []) {
      const job = live.get(entry.id)?.entry() ?? entry;
      if (job.state !== 'running' || job.checkpoint !== undefined) continue;
      if (live.has(job.id) || !isOrphaned(job, clock.now())) leasesMs.push(job.lease_ms);
      else if (found) await mark(place, job.id, found.record.principal, found.record.tool);
    }
    return leasesMs.length > 0 ? Math.min(...leasesMs) : undefined;
  };

  async function mark(place: string, id: string, principalId: string, tool: string): Promise<void> {
    const marked = await store.update(place, id, (job) => (isOrphaned(job, clock.now()) ? interrupted(job, clock.now()) : undefined));
    if (marked) onInterrupted(marked, principalId, tool);
  }
}
