import { GatewayError } from '../errors.ts';
import { DONE } from '../ports.ts';
import { onAbort } from './abort.ts';
import { inProgress, type JobAnswer } from './job-call.ts';
import type { JobsRuntime, LiveJobs } from './live-jobs.ts';
import type { LocalJob } from './local-job.ts';
import type { NoteDelivery } from './note-delivery.ts';
import type { WaitingCall } from './waiters.ts';

/** Has a call wait for a job of this process. Throws `cancelled` when its client leaves, and the failure of the work. */
export type WaitHere = (job: LocalJob, call: WaitingCall, collected: boolean) => Promise<JobAnswer>;

type WaitOptions = Readonly<{
  live: Pick<LiveJobs, 'setDelivered'>;
  noteDelivery: NoteDelivery;
  runtime: Pick<JobsRuntime, 'sleep' | 'waitUntil'>;
}>;

export function createWaitHere({ live, noteDelivery, runtime }: WaitOptions): WaitHere {
  async function waitFor(job: LocalJob, call: WaitingCall, collected: boolean): Promise<JobAnswer> {
    const { waiter } = call;
    job.join(waiter, call.report);
    const over = new AbortController();
    const left = onAbort(waiter.left, over.signal);
    const slept = runtime.sleep(call.waitMs, over.signal).catch(() => {});
    // The work gets its turn, which may end with what the upstream has answered.
    const late = call.needsCheckpoint ? Promise.all([slept, job.named]).then(() => runtime.sleep(0)) : slept;
    // A job that has ended answers even a call that does not wait.
    if (!job.outcome()) await Promise.race([job.ended, left, late]);
    over.abort(DONE);
    if (waiter.left.aborted) {
      job.leave(waiter, 'left');
      throw new GatewayError({ kind: 'cancelled' });
    }
    const outcome = job.outcome();
    if (!outcome) {
      job.leave(waiter, 'later');
      // The record agrees with what the client is told, even if the process ends now.
      await job.save();
      return inProgress(job.entry(), collected, job.percent());
    }
    if (job.isKeyed) await job.save();
    const settled = noteDelivery(call, async (isDelivered) => {
      live.setDelivered(job.entry().id, isDelivered);
      job.leave(waiter, isDelivered ? 'delivered' : 'left');
    });
    waiter.stayUntil(settled);
    runtime.waitUntil(settled);
    if ('error' in outcome) throw outcome.error;
    const { id: jobId, started_ms: startedMs, inline_preview: inlinePreview } = job.entry();
    return { status: 'completed', output: outcome.output, jobId, startedMs, collected, inlinePreview };
  }

  return waitFor;
}
