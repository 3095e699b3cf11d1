import type { Owner, Principal } from '../auth/principal.ts';
import { GatewayError } from '../errors.ts';
import { createCancellations } from './cancellations.ts';
import { type JobAnswer, type JobCall, type NewJob, subjectOf } from './job-call.ts';
import { createJobStore, type Found, type JobSubject } from './job-store.ts';
import { createJoin, type JoinOptions } from './join.ts';
import { busy, createLiveJobs, type LiveJobsOptions } from './live-jobs.ts';
import type { Work } from './local-job.ts';
import { madeOf } from './made.ts';
import { createNoteDelivery } from './note-delivery.ts';
import { createPolls, type Polls } from './polls.ts';
import { createProbe } from './probe.ts';
import { COLLECT_MS, costOf, hasUsedKey, isOrphaned, type JobEntry, mayCollect } from './record.ts';
import type { SealedStore } from './sealed-store.ts';
import { createSlowCall } from './slow-call.ts';
import { createWaitHere } from './wait-here.ts';
import { createWaiters, type WaitingCall } from './waiters.ts';

export type Jobs = Readonly<{
  /**
   * Answers a paid call: starts a job, joins the one that an identical call has left running, or collects a result that
   * was not delivered. Throws the failure of the work, `job_interrupted`, `key_reused` or `busy`.
   */
  run: (call: NewJob, work: Work) => Promise<JobAnswer>;
  /** Runs the work without a record. It becomes a job when it takes longer than the call waits. */
  runIfSlow: (call: NewJob, work: Work) => Promise<JobAnswer>;
  /** Waits on for a job. Throws `job_unknown`, or what `run` throws. */
  resume: (call: JobCall, jobId: string, work: Work) => Promise<JobAnswer>;
  /** The state of a job, without waiting; `undefined` if it is unknown to this principal. */
  find: (principal: Principal, jobId: string) => Promise<JobStatus | undefined>;
  /** Stops a job of this process unless it has been sent. */
  cancel: (jobId: string) => void;
  polls: Polls;
  /** How long the outcome of a job is kept, at least. */
  keptMs: number;
  /** Where the record of a job is. */
  placeOf: (job: { jobId: string } | JobSubject) => Promise<string | undefined>;
  /** A client has cancelled the call with this JSON-RPC id. */
  cancelled: (principal: Principal, rpcId: string | number) => Promise<void>;
  /** Lists what a call has made that was no job. */
  note: (owner: Owner, tool: string, startedMs: number, output: Record<string, unknown>) => void;
  /** The jobs of this process that run, or whose record is not written. */
  inFlight: () => number;
  /** Those that run. */
  running: () => number;
  /** Marks what still runs as interrupted, before the process ends. */
  interruptAll: () => Promise<void>;
  /** Marks what has lost its process, in the record at a place; see `createSweep`. */
  sweep: (place: string) => Promise<number | undefined>;
  /** What has become of a job whose process may have died, and what that has cost. */
  outcomeOf: (place: string, jobId: string) => Promise<JobOutcome>;
}>;

/** `usd` is undefined when the record does not say. */
export type JobOutcome = Readonly<{ state: 'running'; untilMs: number } | { state: 'ended'; usd: number | undefined }>;

export type JobStatus = JobEntry & Readonly<{ tool: string; percent: number | undefined }>;

export type JobsOptions = Pick<LiveJobsOptions, 'index' | 'runtime' | 'events' | 'maxJobs' | 'mask' | 'onChange' | 'onInterrupted'> &
  Pick<JoinOptions, 'renewLinks'> &
  Readonly<{ sealed: SealedStore; retentionMs: number }>;

const JOB_ID = /^job-([0-9a-f]{32})-([0-9a-f]{8})$/;
const MAX_TRIES = 10;

/** Every paid call as a job: it outlives its client, is remembered in the object store, and is collected by a retry. */
export function createJobs({ sealed, retentionMs, renewLinks, ...options }: JobsOptions): Jobs {
  const { runtime } = options;
  const store = createJobStore(sealed, retentionMs, runtime);
  const waiters = createWaiters(runtime);
  const cancellations = createCancellations(sealed, runtime);
  const polls = createPolls(runtime);
  const noteDelivery = createNoteDelivery(cancellations, runtime);
  const live = createLiveJobs({ ...options, store, polls });
  const waitHere = createWaitHere({ live, noteDelivery, runtime });
  const join = createJoin({ store, live, waitHere, noteDelivery, runtime, renewLinks });
  const probe = createProbe({ store, live, waiters, cancellations, clock: runtime });
  const runSlow = createSlowCall({ store, live, waitHere, waiters, runtime });

  async function answerNew(asked: NewJob & WaitingCall, work: Work): Promise<JobAnswer> {
    let call = asked;
    const subject = await subjectOf(call);
    let isProbed = false;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (call.signal.aborted) throw new GatewayError({ kind: 'cancelled' });
      const found = await find(subject);
      const { record } = found;
      if (call.key !== undefined && (record.digest !== subject.digest || record.tool !== call.tool) && record.jobs.length > 0)
        throw new GatewayError({ kind: 'key_reused' });
      const retry = live.takeRetry(found.place);
      if (retry) {
        const answer = await begin(found, call, retry.run, true, () => live.holdRetry(found.place, retry));
        if (answer) return answer;
        continue;
      }
      const earlier = call.key === undefined ? record.jobs.filter(isRecent).filter(mayCollect) : record.jobs.filter(hasUsedKey).slice(-1);
      const free = earlier.find((entry) => call.key !== undefined || !live.isWaitedFor(entry));
      if (free) {
        const answer = await join(found, free, call, work, call.key === undefined);
        if (answer) return answer;
        continue;
      }
      if (earlier.some(({ id }) => !polls.isPolled(id)) && !isProbed) {
        isProbed = true;
        const startMs = runtime.now();
        await probe(found, earlier, call);
        // It may have taken as long as a lease, and is a part of what the client waits.
        call = { ...call, waitMs: Math.max(0, call.waitMs - (runtime.now() - startMs)) };
        continue;
      }
      // While it was finding out about an earlier call, its own cancellation may have reached another process.
      if (tries > 0 && (await cancellations.since(call))) throw new GatewayError({ kind: 'cancelled' });
      call.assertMayStart();
      const answer = await begin(found, call, work, false, () => {});
      const warning = call.key === undefined ? interruptionOf(record.jobs) : undefined;
      if (answer) return warning ? { ...answer, warning } : answer;
    }
    throw busy();
  }

  /** Records and starts a job; `undefined` if another call was faster. */
  async function begin(
    found: Found,
    call: NewJob & WaitingCall,
    work: Work,
    collected: boolean,
    onNotBegun: () => void,
  ): Promise<JobAnswer | undefined> {
    const entry = live.newEntry(found.place, call);
    let written: Found | 'changed' = 'changed';
    try {
      live.assertCapacity();
      written = await store.write(found, entry).catch(unusable);
    } finally {
      if (written === 'changed') onNotBegun();
    }
    return written === 'changed' ? undefined : waitHere(live.start(written, entry, work, call), call, collected);
  }

  /** The record, with what this process knows better. */
  async function find(subject: JobSubject): Promise<Found> {
    const found = await store.find(subject).catch(unusable);
    const known = found.record.jobs.map((entry) => live.get(entry.id)?.entry() ?? entry);
    const unwritten = live.all().filter((job) => job.place === found.place && !known.some(({ id }) => id === job.entry().id));
    return { ...found, record: { ...found.record, jobs: [...known, ...unwritten.map((job) => job.entry())] } };
  }

  function isRecent({ id, ended_ms, state }: JobEntry): boolean {
    return !live.isDelivered(id) && (state === 'running' || runtime.now() - (ended_ms ?? 0) <= COLLECT_MS);
  }

  async function answerResumed(call: WaitingCall, jobId: string, work: Work): Promise<JobAnswer> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const known = await load(call.principal, jobId);
      if (!known || known.found.record.tool !== call.tool) throw new GatewayError({ kind: 'job_unknown', jobId });
      const answer = await join(known.found, known.entry, call, work, false);
      if (answer) return answer;
    }
    throw busy();
  }

  async function load(principal: Principal, jobId: string) {
    const place = JOB_ID.exec(jobId)?.[1];
    const found = place === undefined ? undefined : await store.load(place);
    const local = live.get(jobId)?.entry();
    const entry = local ?? found?.record.jobs.find(({ id }) => id === jobId);
    return found && entry && found.record.principal === principal.id ? { found, entry } : undefined;
  }

  async function findEntry(principal: Principal, jobId: string): Promise<JobStatus | undefined> {
    const known = await load(principal, jobId);
    if (!known) return undefined;
    const { found, entry } = known;
    return { ...entry, tool: found.record.tool, percent: live.get(jobId)?.percent() };
  }

  async function placeOf(job: { jobId: string } | JobSubject): Promise<string | undefined> {
    return 'jobId' in job ? JOB_ID.exec(job.jobId)?.[1] : (await store.placesOf(job))[0];
  }

  async function cancelled(principal: Principal, rpcId: string | number): Promise<void> {
    if (waiters.cancel(principal.id, rpcId) === 'unknown') await cancellations.remember(principal.id, rpcId);
  }

  async function interruptAll(): Promise<void> {
    await Promise.all(
      live.all().map(async (job) => {
        await job.interrupt();
        const { principal, tool } = job.subject;
        if (job.entry().state === 'interrupted') live.noteLost(job.entry(), principal, tool);
      }),
    );
  }

  async function outcomeOf(place: string, jobId: string): Promise<JobOutcome> {
    await live.sweep(place);
    const found = await store.load(place);
    const entry = live.get(jobId)?.entry() ?? found?.record.jobs.find(({ id }) => id === jobId);
    if (entry?.state !== 'running') return { state: 'ended', usd: entry && costOf(entry) };
    // What can be continued has been billed.
    return isOrphaned(entry, runtime.now()) ? { state: 'ended', usd: entry.estimate_usd } : { state: 'running', untilMs: entry.lease_ms };
  }

  function note(owner: Owner, tool: string, startedMs: number, output: Record<string, unknown>): void {
    const made = madeOf(output);
    if (!made.files) return;
    const entry = { id: `call-${runtime.randomUUID()}`, tool, state: 'completed', started_ms: startedMs, ended_ms: runtime.now(), ...made };
    runtime.waitUntil(options.index.append(owner.id, entry));
  }

  const run: Jobs['run'] = (call, work) => waiters.during(call, (waiting) => answerNew(waiting, work));

  return {
    run,
    resume: (call, jobId, work) => waiters.during(call, (waiting) => answerResumed(waiting, jobId, work)),
    runIfSlow: (call, work) => (call.key === undefined ? runSlow(call, work) : run(call, work)),
    find: findEntry,
    cancel: (jobId) => live.get(jobId)?.cancel(),
    polls,
    keptMs: Math.max(COLLECT_MS, retentionMs),
    placeOf,
    cancelled,
    note,
    // A job whose client waits is counted as its call.
    running: live.running,
    inFlight: () => live.all().filter(({ waiters }) => waiters.size === 0).length + options.index.inFlight(),
    interruptAll,
    sweep: live.sweep,
    outcomeOf,
  };
}

/** Why a new call may be billed for what an earlier one had begun. */
function interruptionOf(jobs: readonly JobEntry[]): string | undefined {
  const last = jobs.at(-1);
  if (last?.state !== 'interrupted') return undefined;
  return `An identical call of ${new Date(last.started_ms).toISOString()} was interrupted and may have been billed; this is a new one.`;
}

/** The record cannot be read or written, so nothing is sent. */
function unusable(error: unknown): never {
  if (!(error instanceof GatewayError)) throw error;
  throw new GatewayError({ kind: 'storage_unusable', reason: error.failure }, { cause: error });
}
