import { GatewayError } from '../errors.ts';
import { onAbort } from './abort.ts';
import type { Cancellations } from './cancellations.ts';
import { inProgress, type JobAnswer, type JobCall } from './job-call.ts';
import type { JobsRuntime, LiveJobs } from './live-jobs.ts';
import type { LocalJob } from './local-job.ts';
import type { Waiter, Waiters } from './waiters.ts';

/** Has a call wait for a job of this process. Throws `cancelled` when its client leaves, and the failure of the work. */
export type WaitHere = (job: LocalJob, call: JobCall, collected: boolean) => Promise<JobAnswer>;

type WaitOptions = Readonly<{
  live: Pick<LiveJobs, 'setDelivered'>;
  waiters: Waiters;
  cancellations: Cancellations;
  runtime: Pick<JobsRuntime, 'now' | 'sleep' | 'waitUntil'>;
}>;

export function createWaitHere({ live, waiters, cancellations, runtime }: WaitOptions): WaitHere {
  async function waitFor(job: LocalJob, call: JobCall, collected: boolean): Promise<JobAnswer> {
    const sinceMs = runtime.now();
    const waiter = waiters.add(call.principal.id, call.rpcId, call.signal);
    job.join(waiter, call.report);
    const over = new AbortController();
    const left = onAbort(waiter.left, over.signal);
    const slept = runtime.sleep(call.waitMs, over.signal).catch(() => {});
    // The work gets its turn, which may end with what the upstream has answered.
    const late = call.needsCheckpoint ? Promise.all([slept, job.named]).then(() => runtime.sleep(0)) : slept;
    // A job that has ended answers even a call that does not wait.
    if (!job.outcome()) await Promise.race([job.ended, left, late]);
    over.abort();
    if (waiter.left.aborted) {
      job.leave(waiter, 'left');
      waiter.end();
      throw new GatewayError({ kind: 'cancelled' });
    }
    const outcome = job.outcome();
    if (!outcome) {
      job.leave(waiter, 'later');
      // The record agrees with what the client is told, even if the process ends now.
      await job.save();
      waiter.end();
      return inProgress(job.entry(), collected, job.percent());
    }
    if (job.isKeyed) await job.save();
    runtime.waitUntil(settle(job, waiter, call, sinceMs));
    if ('error' in outcome) throw outcome.error;
    const { id: jobId, started_ms: startedMs } = job.entry();
    return { status: 'completed', output: outcome.output, jobId, startedMs, collected };
  }

  async function settle(job: LocalJob, waiter: Waiter, call: JobCall, sinceMs: number): Promise<void> {
    const over = new AbortController();
    const left = onAbort(waiter.left, over.signal).then(() => false);
    // Who has left is released at once, so that the next call finds the result free.
    const isTaken = await Promise.race([call.delivered(), left]);
    over.abort();
    // A key answers in any case.
    const isGone = isTaken && !job.isKeyed && (await wasCancelledElsewhere(call, sinceMs));
    const isDelivered = isTaken && !isGone && !waiter.left.aborted;
    const note = (isTaken: boolean) => {
      live.setDelivered(job.entry().id, isTaken);
      job.leave(waiter, isTaken ? 'delivered' : 'left');
    };
    note(isDelivered);
    if (isDelivered) waiter.left.addEventListener('abort', () => note(false), { once: true });
    waiter.end();
  }

  /** A client that times out may keep its connection open, while its cancellation reaches another process. */
  async function wasCancelledElsewhere({ principal, rpcId }: JobCall, sinceMs: number): Promise<boolean> {
    return (await cancellations.lastMs(principal.id, rpcId).catch(() => 0)) >= sinceMs;
  }

  return waitFor;
}
