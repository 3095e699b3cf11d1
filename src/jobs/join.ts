import { GatewayError } from '../errors.ts';
import { inProgress, type JobAnswer } from './job-call.ts';
import type { Found, JobStore } from './job-store.ts';
import type { JobsRuntime, LiveJobs } from './live-jobs.ts';
import { newLease, type Work } from './local-job.ts';
import type { NoteDelivery } from './note-delivery.ts';
import { interrupted, isOrphaned, type JobEntry, withoutWaiting } from './record.ts';
import type { WaitHere } from './wait-here.ts';
import type { WaitingCall } from './waiters.ts';

export type JoinOptions = Readonly<{
  store: JobStore;
  live: LiveJobs;
  waitHere: WaitHere;
  noteDelivery: NoteDelivery;
  runtime: JobsRuntime;
  /** Signs the links in a stored result again. */
  renewLinks: (output: Record<string, unknown>) => Promise<Record<string, unknown>>;
}>;

/**
 * Has a call wait for a job that exists, wherever it runs. `isClaimed`: the result is for one call only. Resolves to
 * `undefined` if another call was faster.
 */
export type Join = (found: Found, entry: JobEntry, call: WaitingCall, work: Work, isClaimed: boolean) => Promise<JobAnswer | undefined>;

const FIRST_POLL_MS = 500;
const MAX_POLL_MS = 4_000;

export function createJoin({ store, live, waitHere, noteDelivery, runtime, renewLinks }: JoinOptions): Join {
  async function join(found: Found, entry: JobEntry, call: WaitingCall, work: Work, isClaimed: boolean): Promise<JobAnswer | undefined> {
    const local = live.get(entry.id);
    if (local) return waitHere(local, call, true);
    if (isOrphaned(entry, runtime.now())) return recover(found, entry, call, work);
    if (entry.state === 'running') return watch(found, entry, call, work, isClaimed);
    return collect(found.place, entry, call, isClaimed);
  }

  async function collect(place: string, entry: JobEntry, call: WaitingCall, isClaimed: boolean): Promise<JobAnswer | undefined> {
    if (isClaimed && !(await claim(place, entry, call))) return undefined;
    return answerFrom(place, entry, call);
  }

  /** A job without a process is continued from its checkpoint; otherwise, it is over. */
  async function recover({ place }: Found, { id }: JobEntry, call: WaitingCall, work: Work): Promise<JobAnswer | undefined> {
    const isOver = (job: JobEntry) => isOrphaned(job, runtime.now());
    const taken = await store.update(place, id, (job) => {
      if (!isOver(job)) return undefined;
      if (job.checkpoint !== undefined) return { ...job, lease_ms: newLease(runtime), waiting: call.rpcId };
      return interrupted(job, runtime.now());
    });
    if (!taken) return undefined;
    if (taken.state === 'interrupted') {
      live.noteLost(taken, call.principal.id, call.tool);
      return answerFrom(place, taken, call);
    }
    const found = await store.load(place);
    return found && waitHere(live.start(found, taken, work, call), call, true);
  }

  /** Two calls must not collect the same result. */
  async function claim(place: string, { id }: JobEntry, { rpcId }: WaitingCall): Promise<boolean> {
    const claimed = await store.update(place, id, (job) =>
      job.delivered || live.isWaitedFor(job) ? undefined : { ...job, waiting: rpcId, lease_ms: newLease(runtime) },
    );
    return claimed !== undefined;
  }

  async function answerFrom(place: string, entry: JobEntry, call: WaitingCall): Promise<JobAnswer> {
    const settled = noteDelivery(call, (isDelivered) => {
      live.setDelivered(entry.id, isDelivered);
      return store.update(place, entry.id, (job) => ({ ...withoutWaiting(job), delivered: entry.delivered || isDelivered }));
    });
    call.waiter.stayUntil(settled);
    live.settling(entry.id, settled);
    runtime.waitUntil(settled.catch(() => {}));
    const { id, started_ms: startedMs, state, output, failure, inline_preview: inlinePreview } = entry;
    if (state === 'interrupted') throw new GatewayError({ kind: 'job_interrupted', jobId: id, startedMs });
    if (failure) throw new GatewayError({ kind: 'job_failed', jobId: id, startedMs, outcome: failure.kind, sentence: failure.sentence });
    if (!output) throw new GatewayError({ kind: 'job_result_gone', jobId: id, startedMs });
    return { status: 'completed', output: await renewLinks(output), jobId: id, startedMs, collected: true, inlinePreview };
  }

  /** Waits for a job of another process by reading its record. */
  async function watch(found: Found, first: JobEntry, call: WaitingCall, work: Work, isClaimed: boolean): Promise<JobAnswer | undefined> {
    const deadlineMs = runtime.now() + call.waitMs;
    let entry = first;
    for (let delayMs = FIRST_POLL_MS; ; delayMs = Math.min(delayMs * 2, MAX_POLL_MS)) {
      if (isOrphaned(entry, runtime.now())) return recover(found, entry, call, work);
      if (entry.state !== 'running') return collect(found.place, entry, call, isClaimed);
      const leftMs = deadlineMs - runtime.now();
      if (leftMs <= 0) return inProgress(entry, true);
      await runtime.sleep(Math.min(delayMs, leftMs), call.signal).catch((cause: unknown) => {
        throw new GatewayError({ kind: 'cancelled' }, { cause });
      });
      const present = await store.load(found.place).catch(() => undefined);
      entry = present?.record.jobs.find(({ id }) => id === first.id) ?? entry;
    }
  }

  return join;
}
