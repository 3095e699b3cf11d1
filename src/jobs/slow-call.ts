import { forwardAbort } from './abort.ts';
import { type JobAnswer, type NewJob, subjectOf } from './job-call.ts';
import type { JobStore } from './job-store.ts';
import { isAwaited, type JobsRuntime, type LiveJobs } from './live-jobs.ts';
import type { LocalJob, Work } from './local-job.ts';
import type { WaitHere } from './wait-here.ts';
import type { Waiters } from './waiters.ts';

export type SlowCallOptions = Readonly<{ store: JobStore; live: LiveJobs; waitHere: WaitHere; waiters: Waiters; runtime: JobsRuntime }>;

/** Runs work without a record, and makes it a job when it takes longer than its call waits. */
export function createSlowCall({
  store,
  live,
  waitHere,
  waiters,
  runtime,
}: SlowCallOptions): (call: NewJob, work: Work) => Promise<JobAnswer> {
  async function runIfSlow(call: NewJob, work: Work): Promise<JobAnswer> {
    if (!runtime.outlivesClients) return direct(call, work);
    const left = live.all().length > 0 ? await findLeft(call) : undefined;
    if (left) return waiters.during(call, (waiting) => waitHere(left, waiting, true));
    call.assertMayStart();
    const stop = new AbortController();
    const unlink = forwardAbort(call.signal, stop);
    let report = call.report;
    const startedMs = runtime.now();
    const working = work(
      { signal: stop.signal, progress: (message, percent) => report(message, percent), checkpoint: () => {} },
      undefined,
    );
    const job = await Promise.race([working.then(() => undefined), becomeJob()]).finally(unlink);
    if (job) return waiters.during({ ...call, waitMs: 0 }, (waiting) => waitHere(job, waiting, false));
    return { status: 'completed', output: await working, jobId: '', startedMs, collected: false };

    async function becomeJob(): Promise<LocalJob | undefined> {
      const over = new AbortController();
      const isOver = working.then(
        () => over.abort(),
        () => over.abort(),
      );
      await Promise.race([runtime.sleep(call.waitMs, over.signal), isOver]).catch(() => {});
      const written = over.signal.aborted ? undefined : await record();
      if (!written || over.signal.aborted) return working.then(() => undefined);
      return live.start(
        written.found,
        written.entry,
        (context) => {
          report = context.progress;
          return working;
        },
        call,
      );
    }

    /** Without a record, the call goes on waiting. */
    async function record() {
      try {
        live.assertCapacity();
        const found = await store.find(await subjectOf(call));
        const entry = { ...live.newEntry(found.place, call), started_ms: startedMs };
        const written = await store.write(found, entry);
        return written === 'changed' ? undefined : { found: written, entry };
      } catch {
        return undefined;
      }
    }
  }

  /** Without a job: for a runtime in which work ends with its client. */
  async function direct(call: NewJob, work: Work): Promise<JobAnswer> {
    call.assertMayStart();
    const startedMs = runtime.now();
    const output = await work({ signal: call.signal, progress: call.report, checkpoint: () => {} }, undefined);
    return { status: 'completed', output, jobId: '', startedMs, collected: false };
  }

  /** A slow call with the same arguments, whose result nobody has. */
  async function findLeft(call: NewJob): Promise<LocalJob | undefined> {
    const { principalId, tool, digest } = await subjectOf(call);
    return live
      .all()
      .find(
        (job) =>
          job.subject.principal === principalId &&
          job.subject.tool === tool &&
          job.subject.digest === digest &&
          !isAwaited(job) &&
          !job.entry().delivered,
      );
  }

  return runIfSlow;
}
