import { describeFailure, type FreeRetry, GatewayError, mayBeBilled } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Log } from '../log.ts';
import type { Clock, Runtime } from '../ports.ts';
import type { DayIndex } from './day-index.ts';
import type { JobCall, NewJob } from './job-call.ts';
import type { Found, JobStore } from './job-store.ts';
import { type LocalJob, newLease, startLocalJob, type Work } from './local-job.ts';
import { madeOf } from './made.ts';
import type { Polls } from './polls.ts';
import { COLLECT_MS, type JobEntry } from './record.ts';
import { createSweep } from './sweep.ts';

export type JobsRuntime = Clock & Pick<Runtime, 'randomUUID' | 'waitUntil' | 'outlivesClients'> & Readonly<{ log: Pick<Log, 'warn'> }>;

export type LiveJobsOptions = Readonly<{
  store: JobStore;
  index: DayIndex;
  polls: Polls;
  runtime: JobsRuntime;
  events: Events;
  /** How many may run at once. */
  maxJobs: number;
  /** Removes secrets. */
  mask: (text: string) => string;
  /** Told where the records of the running jobs are, whenever one starts or is done. */
  onChange?: ((places: readonly string[]) => void) | undefined;
  /** Told of each job that has been found to have lost its process. */
  onInterrupted?: ((lost: LostJob) => void) | undefined;
}>;

/** `costUsd`: what it counts as. */
export type LostJob = Readonly<{ principalId: string; tool: string; startedMs: number; costUsd: number | undefined }>;

/** What the record keeps of a call. */
type EnteredCall = Pick<NewJob, 'requestId' | 'rpcId' | 'prompt' | 'inlinePreview' | 'estimateUsd'>;

/** What is known of the call with which the work of a job starts. */
type StartingCall = Pick<JobCall, 'principal' | 'measures'>;

/** The jobs of this process: those that run, and those whose outcome is not recorded or taken yet. */
export type LiveJobs = Readonly<{
  newEntry: (place: string, call: EnteredCall) => JobEntry;
  /** Starts the work of a job whose record exists. */
  start: (found: Found, entry: JobEntry, work: Work, call: StartingCall) => LocalJob;
  /** Takes what a job of this record could not finish after all was paid for. */
  takeRetry: (place: string) => FreeRetry | undefined;
  /** Keeps that for as long as results are collected; its memory stays reserved. */
  holdRetry: (place: string, retry: FreeRetry) => void;
  get: (jobId: string) => LocalJob | undefined;
  all: () => LocalJob[];
  /** How many run. */
  running: () => number;
  /** Throws `busy` when as many run as may. */
  assertCapacity: () => void;
  /** While it is being found out whether a recorded outcome has been delivered, nobody else gets it. */
  settling: (jobId: string, settled: Promise<unknown>) => void;
  /** Notes at once what the record says only when it is written. */
  setDelivered: (jobId: string, isDelivered: boolean) => void;
  isDelivered: (jobId: string) => boolean;
  /** Whether a client waits: here, or so the record says, for as long as its process vouches for that. */
  isWaitedFor: (entry: JobEntry) => boolean;
  /** Marks what has lost its process, in the record at a place; see `createSweep`. */
  sweep: (place: string) => Promise<number | undefined>;
  /** Lists and counts a job that has just been marked as interrupted. */
  noteLost: (job: JobEntry, principalId: string, tool: string) => void;
}>;

const RETRY_AFTER_SECONDS = 20;

export function createLiveJobs({
  store,
  index,
  polls,
  runtime,
  events,
  maxJobs,
  mask,
  onChange = () => {},
  onInterrupted = () => {},
}: LiveJobsOptions): LiveJobs {
  const { log } = runtime;
  const live = new Map<string, LocalJob>();
  const unsettled = new Set<string>();
  const deliveredMs = new Map<string, number>();
  const retries = new Map<string, FreeRetry>();

  function failureOf(error: unknown): NonNullable<JobEntry['failure']> {
    if (!(error instanceof GatewayError)) return { kind: 'internal', sentence: 'Internal error.', billed: true };
    const { failure } = error;
    return { kind: failure.kind, sentence: mask(describeFailure(failure)), billed: mayBeBilled(failure) };
  }

  function start(found: Found, entry: JobEntry, work: Work, call: StartingCall): LocalJob {
    const { principal, tool } = found.record;
    const job = startLocalJob(work, {
      found,
      entry,
      clock: runtime,
      store,
      costUsd: () => call.measures.cost_usd,
      failureOf,
      onSaveFailed: (error) => log.warn('job_record_failed', { job_id: entry.id, error: String(error) }),
      onDone() {
        live.delete(entry.id);
        onChange(placesInUse());
      },
    });
    live.set(entry.id, job);
    onChange(placesInUse());
    const noted = job.ended.then(() => {
      const retry = retryOf(job);
      if (retry) holdRetry(job.place, retry);
      const { id, request_id, state, started_ms, ended_ms = runtime.now(), output = {}, prompt, cost_usd } = job.entry();
      const ended = { requestId: request_id, jobId: id, tool, state, durationMs: ended_ms - started_ms };
      events.emit({ type: 'job', ...ended, principal: call.principal.name, measures: call.measures });
      const made = { ...(cost_usd !== undefined && { cost_usd }), ...madeOf(output), ...(prompt !== undefined && { prompt }) };
      return index.append(principal, { id, request_id, tool, state, started_ms, ended_ms, ...made });
    });
    runtime.waitUntil(noted);
    return job;
  }

  const placesInUse = () => [...new Set([...live.values()].map(({ place }) => place))];

  function noteLost(
    { id, request_id, started_ms, ended_ms = started_ms, state, cost_usd }: JobEntry,
    principal: string,
    tool: string,
  ): void {
    const ended = { requestId: request_id, jobId: id, tool, state, durationMs: ended_ms - started_ms };
    events.emit({ type: 'job', ...ended, principal });
    onInterrupted({ principalId: principal, tool, startedMs: started_ms, costUsd: cost_usd });
    runtime.waitUntil(index.append(principal, { id, request_id, tool, state, started_ms, ended_ms, cost_usd }));
  }

  const sweep = createSweep({ store, live, clock: runtime, onInterrupted: noteLost });

  const running = () => [...live.values()].filter((job) => job.outcome() === undefined).length;

  function assertCapacity(): void {
    if (running() >= maxJobs) throw busy();
  }

  function newEntry(
    place: string,
    { requestId: request_id, rpcId: waiting, prompt, inlinePreview: inline_preview, estimateUsd }: EnteredCall,
  ): JobEntry {
    const id = `job-${place}-${runtime.randomUUID().slice(0, 8)}`;
    const times = { started_ms: runtime.now(), lease_ms: newLease(runtime) };
    const entry = { ...times, waiting, inline_preview, estimate_usd: estimateUsd(), delivered: false };
    return { id, request_id, state: 'running', ...entry, ...(prompt !== undefined && { prompt }) };
  }

  function holdRetry(place: string, retry: FreeRetry): void {
    retries.get(place)?.drop();
    retries.set(place, retry);
    void runtime.sleep(COLLECT_MS).then(() => {
      if (retries.get(place) !== retry) return;
      retries.delete(place);
      retry.drop();
    });
  }

  function takeRetry(place: string): FreeRetry | undefined {
    const retry = retries.get(place);
    retries.delete(place);
    return retry;
  }

  /** For as long as results are collected. */
  function setDelivered(jobId: string, isDelivered: boolean): void {
    for (const [id, ms] of deliveredMs) if (runtime.now() - ms > COLLECT_MS) deliveredMs.delete(id);
    if (isDelivered) deliveredMs.set(jobId, runtime.now());
    else deliveredMs.delete(jobId);
  }

  function settling(jobId: string, settled: Promise<unknown>): void {
    unsettled.add(jobId);
    const forget = () => unsettled.delete(jobId);
    settled.then(forget, forget);
  }

  function isWaitedFor(entry: JobEntry): boolean {
    if (polls.isPolled(entry.id) || unsettled.has(entry.id)) return true;
    const local = live.get(entry.id);
    if (local) return isAwaited(local);
    return entry.waiting !== undefined && entry.lease_ms >= runtime.now();
  }

  return {
    newEntry,
    start,
    takeRetry,
    holdRetry,
    get: (id) => live.get(id),
    all: () => [...live.values()],
    running,
    assertCapacity,
    settling,
    setDelivered,
    isDelivered: (id) => deliveredMs.has(id),
    isWaitedFor,
    sweep,
    noteLost,
  };
}

/** Whether a client certainly waits for the job. */
export function isAwaited({ waiters }: LocalJob): boolean {
  return [...waiters].some(({ mayHaveLeft }) => !mayHaveLeft.aborted);
}

function retryOf(job: LocalJob): FreeRetry | undefined {
  const outcome = job.outcome();
  return outcome && 'error' in outcome && outcome.error instanceof GatewayError ? outcome.error.retry : undefined;
}

export function busy(): GatewayError {
  return new GatewayError({ kind: 'busy', retryAfterSeconds: RETRY_AFTER_SECONDS });
}
