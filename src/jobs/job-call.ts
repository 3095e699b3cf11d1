import type { Principal } from '../auth/principal.ts';
import type { Measures } from '../events.ts';
import type { JobSubject } from './job-store.ts';
import type { Report } from './local-job.ts';
import type { JobEntry } from './record.ts';

/** One call of a client that waits for a job. */
export type JobCall = Readonly<{
  principal: Principal;
  tool: string;
  /** The JSON-RPC id of the call. */
  rpcId: string | number;
  waitMs: number;
  /** Waits at least until the upstream has a name for the work. */
  needsCheckpoint: boolean;
  /** Aborted when the client disconnects or cancels. */
  signal: AbortSignal;
  /**
   * Resolves to whether the client has received the answer. Asked only of answers that a job depends on, and before they
   * are returned, as it makes them more expensive.
   */
  delivered: () => Promise<boolean>;
  report: Report;
  /** Of the HTTP request. */
  requestId: string;
  /** What the log says of the job's work; it grows. */
  measures: Measures;
}>;

export type NewJob = JobCall &
  Readonly<{
    /** Of the normalised arguments. */
    digest: () => Promise<string>;
    /** The idempotency key. */
    key: string | undefined;
    /** For the list of what was made. */
    prompt: string | undefined;
    /** Whether the result is to show its pictures, unless a call that collects it says otherwise. */
    inlinePreview: boolean | undefined;
    /** What the work may cost, in US dollars, if that is known. */
    estimateUsd: () => number | undefined;
    /** Throws why new work must not start. Not asked by a call that collects or continues an earlier one. */
    assertMayStart: () => void;
  }>;

/** `collected`: the answer belongs to an earlier call. */
export type JobAnswer = Readonly<{
  jobId: string;
  startedMs: number;
  collected: boolean;
  inlinePreview?: boolean | undefined;
  warning?: string | undefined;
}> &
  (
    | Readonly<{ status: 'completed'; output: Record<string, unknown> }>
    | Readonly<{ status: 'in_progress'; checkpoint: string | undefined; percent: number | undefined }>
  );

export async function subjectOf({ principal, tool, digest, key }: NewJob): Promise<JobSubject> {
  return { principalId: principal.id, tool, digest: await digest(), key };
}

export function inProgress({ id, started_ms, checkpoint }: JobEntry, collected: boolean, percent?: number): JobAnswer {
  return { status: 'in_progress', jobId: id, startedMs: started_ms, collected, checkpoint, percent };
}
