import type { Clock } from '../ports.ts';
import { newLease } from './local-job.ts';

/** The subset of a Durable Object's storage used here. */
export type AlarmStorage = Readonly<{
  get: (key: string) => Promise<unknown>;
  put: (key: string, value: readonly string[]) => Promise<void>;
  setAlarm: (scheduledMs: number) => Promise<void>;
  deleteAll: () => Promise<void>;
}>;

export type JobAlarm = Readonly<{
  /** To be told where the records of the object's running jobs are. */
  watch: (places: readonly string[]) => void;
  /** Handles the alarm. `sweep` looks after one record, and resolves to when its next lease ends. */
  ring: (sweep: (place: string) => Promise<number | undefined>) => Promise<void>;
}>;

const PLACES = 'places';
/** After a lease, for a clock that is behind and a write that is slow. */
const MARGIN_MS = 5_000;

/**
 * Wakes a Durable Object after the lease of a job that it runs. If the object was lost meanwhile, the record then says
 * so. While no job runs, the object stores nothing.
 */
export function createJobAlarm(storage: AlarmStorage, clock: Pick<Clock, 'now'>): JobAlarm {
  return {
    // The platform sends nothing out before these writes are done, and restarts the object if they fail.
    watch(places) {
      if (places.length === 0) return void storage.deleteAll();
      void storage.put(PLACES, places);
      void storage.setAlarm(newLease(clock) + MARGIN_MS);
    },
    async ring(sweep) {
      const places = ((await storage.get(PLACES)) ?? []) as readonly string[];
      const leasesMs = (await Promise.all(places.map(sweep))).filter((leaseMs) => leaseMs !== undefined);
      if (leasesMs.length === 0) return storage.deleteAll();
      await storage.setAlarm(Math.max(Math.min(...leasesMs), clock.now()) + MARGIN_MS);
    },
  };
}
