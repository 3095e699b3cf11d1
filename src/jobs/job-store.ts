import type { Clock } from '../ports.ts';
import { type JobEntry, type JobRecord, jobRecord, withJob, withoutExpired } from './record.ts';
import type { SealedStore } from './sealed-store.ts';

/** A record as it was read. `place` is where it lives, and `version` what a write must find there; absent: nothing. */
export type Found = Readonly<{ place: string; record: JobRecord; version: string | undefined }>;

/** What identifies a record: the principal, and an idempotency key or the arguments. */
export type JobSubject = Readonly<{ principalId: string; tool: string; digest: string; key: string | undefined }>;

export type JobStore = Readonly<{
  /** Where the record of a subject is or would be; see `SealedStore.placesOf`. */
  placesOf: (subject: JobSubject) => Promise<readonly string[]>;
  /** The record of a subject, without expired jobs; empty when there is none. */
  find: (subject: JobSubject) => Promise<Found>;
  /** The record at a place. */
  load: (place: string) => Promise<Found | undefined>;
  /** Adds or replaces one job unless the record has changed since it was read. */
  write: (found: Found, job: JobEntry) => Promise<Found | 'changed'>;
  /** Changes one job, however often others write; `undefined` when `change` declines or the job is gone. */
  update: (place: string, jobId: string, change: (job: JobEntry) => JobEntry | undefined) => Promise<JobEntry | undefined>;
}>;

const MAX_TRIES = 10;

/** The records of jobs in the object store. */
export function createJobStore(sealed: SealedStore, retentionMs: number, { now }: Pick<Clock, 'now'>): JobStore {
  async function load(place: string): Promise<Found | undefined> {
    const found = await sealed.read(place);
    const parsed = jobRecord.safeParse(found?.value);
    if (!found || !parsed.success) return undefined;
    const record = withoutExpired(parsed.data, now(), retentionMs);
    if (record.jobs.length > 0) return { place, record, version: found.version };
    await sealed.delete(place, found.version);
    return undefined;
  }

  const placesOf = (subject: JobSubject) => sealed.placesOf(...partsOf(subject));

  async function find(subject: JobSubject): Promise<Found> {
    const places = await placesOf(subject);
    const found = (await Promise.all(places.map(load))).find((record) => record !== undefined);
    if (found) return found;
    const { principalId: principal, tool, digest, key } = subject;
    return { place: places[0] as string, record: { principal, tool, digest, keyed: key !== undefined, jobs: [] }, version: undefined };
  }

  async function write({ place, record, version }: Found, job: JobEntry): Promise<Found | 'changed'> {
    const next = withJob(record, retentionMs === 0 ? withoutDelivered(job) : job);
    const written = version === undefined ? await sealed.create(place, next) : await sealed.replace(place, next, version);
    if (typeof written === 'object') return { place, record: next, version: written.version };
    // A retry of one's own write finds what it wrote.
    const present = await load(place);
    return present && JSON.stringify(present.record) === JSON.stringify(next) ? present : 'changed';
  }

  async function update(place: string, jobId: string, change: (job: JobEntry) => JobEntry | undefined) {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const found = await load(place);
      const job = found?.record.jobs.find(({ id }) => id === jobId);
      const changed = job && change(job);
      if (!found || !changed) return undefined;
      if ((await write(found, changed)) !== 'changed') return changed;
    }
    return undefined;
  }

  return { placesOf, find, load, write, update };
}

function partsOf({ principalId, tool, digest, key }: JobSubject): readonly string[] {
  return key === undefined ? ['arguments', principalId, tool, digest] : ['key', principalId, key];
}

/** Where nothing is kept beyond delivery. */
function withoutDelivered(job: JobEntry): JobEntry {
  if (!job.delivered || !job.output) return job;
  const { output: _delivered, ...rest } = job;
  return rest;
}
