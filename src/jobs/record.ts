import * as z from 'zod';

const jobState = z.enum(['running', 'completed', 'failed', 'interrupted']);

/** One job in its record. Times are milliseconds since the epoch. */
const jobEntry = z.object({
  id: z.string(),
  /** Of the HTTP request that started the job. */
  request_id: z.string().optional(),
  state: jobState,
  started_ms: z.number(),
  ended_ms: z.number().optional(),
  /** Until when a running job certainly has a process; renewed by that process. */
  lease_ms: z.number(),
  /** The JSON-RPC id of the call whose client waits for the job, unless there is none. */
  waiting: z.union([z.string(), z.number()]).optional(),
  /** What the call has asked for, for those that collect its result without saying so. */
  inline_preview: z.boolean().optional(),
  /** Whether a client has asked to stop the job. */
  cancel_requested: z.boolean().optional(),
  /** Whether a client has received the outcome. */
  delivered: z.boolean(),
  /** What the work may cost, in US dollars: what it counts as if its process is lost. */
  estimate_usd: z.number().optional(),
  /** What the work has cost, as far as that is known. */
  cost_usd: z.number().optional(),
  /** What the upstream calls the work, for a tool that can continue it. */
  checkpoint: z.string().optional(),
  /** What was asked for, if the operator wants that to be kept. */
  prompt: z.string().optional(),
  output: z.record(z.string(), z.unknown()).optional(),
  failure: z.object({ kind: z.string(), sentence: z.string(), billed: z.boolean() }).optional(),
});
export type JobEntry = z.output<typeof jobEntry>;

/** The jobs of one set of arguments, or of one idempotency key: usually one, and the latest is last. */
export const jobRecord = z.object({
  principal: z.string(),
  tool: z.string(),
  digest: z.string(),
  /** Whether the record belongs to an idempotency key. */
  keyed: z.boolean(),
  jobs: z.array(jobEntry),
});
export type JobRecord = z.output<typeof jobRecord>;

const MINUTE_MS = 60_000;
/** How long a result that was not delivered is given to an identical call. */
export const COLLECT_MS = 15 * MINUTE_MS;
/** How long an idempotency key answers. */
const KEY_MS = 24 * 60 * MINUTE_MS;
/** Larger results of delivered jobs make room for new ones. */
const MAX_KEPT_CHARACTERS = 1024 * 1024;
const MAX_JOBS = 20;

/** The record with this job added or replaced, within its bounds. */
export function withJob(record: JobRecord, job: JobEntry): JobRecord {
  const others = record.jobs.filter(({ id }) => id !== job.id);
  return { ...record, jobs: [...others.map(withoutLargeOutput), job].toSorted((a, b) => a.started_ms - b.started_ms).slice(-MAX_JOBS) };
}

function withoutLargeOutput(job: JobEntry): JobEntry {
  if (!job.delivered || !job.output || JSON.stringify(job.output).length <= MAX_KEPT_CHARACTERS) return job;
  const { output: _large, ...rest } = job;
  return rest;
}

/** The record without jobs that ended more than `retentionMs` ago. */
export function withoutExpired(record: JobRecord, nowMs: number, retentionMs: number): JobRecord {
  const keptMs = Math.max(record.keyed ? KEY_MS : COLLECT_MS, retentionMs);
  return {
    ...record,
    jobs: record.jobs.filter(({ started_ms, ended_ms, lease_ms }) => nowMs - (ended_ms ?? Math.max(started_ms, lease_ms)) <= keptMs),
  };
}

/** A running job whose process has certainly gone. */
export function isOrphaned({ state, lease_ms }: JobEntry, nowMs: number): boolean {
  return state === 'running' && lease_ms < nowMs;
}

/** A job that has ended without an outcome: it may have been billed. */
export function interrupted({ waiting: _left, ...job }: JobEntry, nowMs: number): JobEntry {
  return { ...job, state: 'interrupted', cost_usd: job.cost_usd ?? job.estimate_usd, ended_ms: nowMs };
}

/** The job, for which nobody waits any longer. */
export function withoutWaiting({ waiting: _left, ...job }: JobEntry): JobEntry {
  return job;
}

/** A result that has not reached its client, or a job that may become one. Failures that cost nothing are simply repeated. */
export function mayCollect({ state, delivered, failure }: JobEntry): boolean {
  return state === 'running' || (!delivered && (state !== 'failed' || failure?.billed === true));
}

/** A key is free again when nothing was billed. */
export function hasUsedKey({ state, failure }: JobEntry): boolean {
  return state !== 'failed' || failure?.billed === true;
}

/** What a job that has ended has cost; `undefined` if nobody knows. */
export function costOf({ cost_usd, failure }: JobEntry): number | undefined {
  return cost_usd ?? (failure && !failure.billed ? 0 : undefined);
}
