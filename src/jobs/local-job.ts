import { every } from '../every.ts';
import type { Clock } from '../ports.ts';
import type { Found, JobStore } from './job-store.ts';
import { COLLECT_MS, interrupted, type JobEntry } from './record.ts';
import type { Waiter } from './waiters.ts';

const LEASE_MS = 30_000;
/** Renewed early enough for a slow store. */
const RENEW_MS = 20_000;
/** A client that is there takes its answer at once; the record is then written once, with both. */
const DELIVERY_MS = 1_000;
/** While the store cannot be written, the outcome is kept in memory. */
const RETRY_SAVE_MS = 30_000;
const MAX_WRITE_TRIES = 20;

type Outcome = Readonly<{ output: Record<string, unknown> } | { error: unknown }>;
export type Report = (message: string, percent?: number) => void;

/** What the work of a job may use. */
type JobContext = Readonly<{
  /** Aborted when every client has left before anything was sent. What was sent is finished regardless. */
  signal: AbortSignal;
  progress: Report;
  /** Remembers what the upstream calls the work, so that it can be continued elsewhere. */
  checkpoint: (id: string) => void;
  /** The job and its record; `undefined` if there is none. */
  job?: Readonly<{ id: string; place: string }>;
}>;

/** Does the work of a new job, or continues one from its checkpoint. */
export type Work = (job: JobContext, checkpoint: string | undefined) => Promise<Record<string, unknown>>;

/** A job that runs, or has just ended, in this process. */
export type LocalJob = Readonly<{
  place: string;
  subject: Readonly<{ principal: string; tool: string; digest: string }>;
  isKeyed: boolean;
  entry: () => JobEntry;
  outcome: () => Outcome | undefined;
  percent: () => number | undefined;
  ended: Promise<void>;
  /** Resolves once there is a checkpoint. */
  named: Promise<void>;
  waiters: ReadonlySet<Waiter>;
  join: (waiter: Waiter, report: Report) => void;
  /** `later`: the client has been told to come back; `left`: it went away; otherwise, whether it got the answer. */
  leave: (waiter: Waiter, how: 'later' | 'left' | 'delivered') => void;
  /** Resolves once the record has the present state, or could not be written. */
  save: () => Promise<void>;
  /** Stops what was not sent yet. */
  cancel: () => void;
  /** Records that this process ends before the work does. */
  interrupt: () => Promise<void>;
}>;

export type LocalJobOptions = Readonly<{
  found: Found;
  entry: JobEntry;
  clock: Clock;
  store: JobStore;
  /** How a thrown error is kept in the record. */
  failureOf: (error: unknown) => NonNullable<JobEntry['failure']>;
  /** What the work has cost, as far as that is known. */
  costUsd: () => number | undefined;
  onSaveFailed: (error: unknown) => void;
  /** The job has ended, its record is written, and nobody waits for it. */
  onDone: () => void;
}>;

export function newLease(clock: Pick<Clock, 'now'>): number {
  return clock.now() + LEASE_MS;
}

/** Starts the work of a job whose record exists. */
export function startLocalJob(work: Work, options: LocalJobOptions): LocalJob {
  const { clock, store, failureOf } = options;
  let entry = options.entry;
  let outcome: Outcome | undefined;
  let percent: number | undefined;
  let isAwaitedLater = false;
  const named = Promise.withResolvers<void>();
  if (entry.checkpoint !== undefined) named.resolve();
  const stop = new AbortController();
  const finished = new AbortController();
  const waiters = new Set<Waiter>();
  const reports = new Map<Waiter, Report>();
  const recorder = createRecorder(options.found, store, () => entry, options.onSaveFailed);

  function progress(message: string, done?: number): void {
    percent = done ?? percent;
    for (const report of reports.values()) report(message, done);
  }

  function checkpoint(id: string): void {
    entry = { ...entry, checkpoint: id };
    named.resolve();
    void save();
  }

  async function save(): Promise<void> {
    const isWritten = await recorder();
    if (!outcome || waiters.size > 0) return;
    if (isWritten || clock.now() - (entry.ended_ms ?? 0) > COLLECT_MS) options.onDone();
    else void clock.sleep(RETRY_SAVE_MS).then(save);
  }

  async function run(): Promise<void> {
    outcome = await work(
      { signal: stop.signal, progress, checkpoint, job: { id: entry.id, place: options.found.place } },
      entry.checkpoint,
    ).then(
      (output) => ({ output }),
      (error: unknown) => ({ error }),
    );
    finished.abort();
    const state =
      'output' in outcome
        ? { state: 'completed' as const, output: outcome.output }
        : { state: 'failed' as const, failure: failureOf(outcome.error) };
    entry = { ...entry, ...state, cost_usd: options.costUsd(), ended_ms: clock.now() };
  }

  async function saveSoon(): Promise<void> {
    if (waiters.size > 0) await clock.sleep(DELIVERY_MS);
    await save();
  }

  let renewedMs = clock.now();
  void every(clock, { ms: RENEW_MS, sinceMs: () => renewedMs, signal: finished.signal }, () => {
    renewedMs = clock.now();
    entry = { ...entry, lease_ms: newLease(clock) };
    void save();
  });
  const ended = run();
  void ended.then(saveSoon);

  return {
    place: options.found.place,
    subject: options.found.record,
    isKeyed: options.found.record.keyed,
    entry: () => entry,
    outcome: () => outcome,
    percent: () => percent,
    ended,
    named: named.promise,
    waiters,
    join(waiter, report) {
      waiters.add(waiter);
      reports.set(waiter, report);
      entry = { ...entry, waiting: waiter.rpcId };
    },
    leave(waiter, how) {
      reports.delete(waiter);
      if (!waiters.delete(waiter) && how !== 'left') return;
      isAwaitedLater ||= how === 'later';
      const [other] = waiters;
      const { waiting: _left, ...rest } = entry;
      entry = { ...rest, delivered: how === 'delivered' || (entry.delivered && how !== 'left'), ...(other && { waiting: other.rpcId }) };
      if (!outcome && waiters.size === 0 && !isAwaitedLater) stop.abort();
      void save();
    },
    save,
    cancel() {
      if (outcome) return;
      entry = { ...entry, cancel_requested: true };
      if (entry.checkpoint === undefined) stop.abort();
      void save();
    },
    async interrupt() {
      if (!outcome) entry = interrupted(entry, clock.now());
      await save();
    },
  };
}

/**
 * Writes the present state of a job, one write at a time; states that pass meanwhile are skipped. Resolves to whether
 * the record has the state.
 */
function createRecorder(start: Found, store: JobStore, entry: () => JobEntry, onFailed: (error: unknown) => void): () => Promise<boolean> {
  let found: Found | undefined = start;
  let written: JobEntry | undefined = start.record.jobs.find(({ id }) => id === entry().id);
  let writing: Promise<boolean> | undefined;

  async function writeAll(): Promise<boolean> {
    for (let tries = 0; written !== entry() && tries < MAX_WRITE_TRIES; tries++) {
      const next = entry();
      const result: Found | 'changed' | undefined = found && (await store.write(found, next));
      if (typeof result === 'object') {
        found = result;
        written = next;
      } else found = (await store.load(start.place)) ?? { ...start, record: { ...start.record, jobs: [] }, version: undefined };
    }
    return written === entry();
  }

  return () => {
    writing ??= writeAll()
      .catch((error: unknown) => {
        onFailed(error);
        return false;
      })
      .finally(() => {
        writing = undefined;
      });
    return writing;
  };
}
