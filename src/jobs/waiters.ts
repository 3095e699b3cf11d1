import type { Clock } from '../ports.ts';
import type { JobAnswer, JobCall } from './job-call.ts';

/** A client that waits for the answer to a call, from the call's arrival until shortly after its answer. */
export type Waiter = Readonly<{
  /** The JSON-RPC id of the call. */
  rpcId: string | number;
  /** Aborted when the client has left: it disconnected, or cancelled. */
  left: AbortSignal;
  /** Aborted when the client may have left: then, too, an identical call is taken for its retry. */
  mayHaveLeft: AbortSignal;
  /** Until this settles, a disconnect counts. */
  stayUntil: (settled: Promise<unknown>) => void;
}>;

/** A call that cancellations reach: they abort its `signal`, as disconnects do. */
export type WaitingCall = JobCall & Readonly<{ waiter: Waiter; sinceMs: number; key?: string | undefined }>;

export type Waiters = Readonly<{
  /** Has cancellations reach a call while it is answered, and shortly after, as they may cross the answer. */
  during: <C extends JobCall>(call: C, answer: (call: C & WaitingCall) => Promise<JobAnswer>) => Promise<JobAnswer>;
  /**
   * A client cancelled the call with this id. Ids are unique only within a client, of which a principal may have many: when
   * several calls have this one, each of them goes on, and `mayHaveLeft`.
   */
  cancel: (principalId: string, rpcId: string | number) => 'known' | 'unknown';
}>;

type Leaving = Readonly<{ certainly: AbortController; perhaps: AbortController }>;

const CROSSING_MS = 10_000;

/** The registry of this process. */
export function createWaiters({ now, sleep }: Clock): Waiters {
  const byCall = new Map<string, Set<Leaving>>();

  return {
    async during(call, answer) {
      const key = keyOf(call.principal.id, call.rpcId);
      const leaving = { certainly: new AbortController(), perhaps: new AbortController() };
      const leave = () => leaveCertainly(leaving);
      call.signal.addEventListener('abort', leave, { once: true });
      if (call.signal.aborted) leave();
      const same = byCall.get(key) ?? new Set();
      byCall.set(key, same.add(leaving));
      const stays: Promise<unknown>[] = [];
      const { signal: left } = leaving.certainly;
      const waiter: Waiter = {
        rpcId: call.rpcId,
        left,
        mayHaveLeft: leaving.perhaps.signal,
        stayUntil: (settled) => void stays.push(settled),
      };
      async function end(): Promise<void> {
        await Promise.allSettled(stays);
        call.signal.removeEventListener('abort', leave);
        await sleep(CROSSING_MS);
        same.delete(leaving);
        if (same.size === 0 && byCall.get(key) === same) byCall.delete(key);
      }
      return answer({ ...call, signal: left, waiter, sinceMs: now() }).finally(() => void end());
    },
    cancel(principalId, rpcId) {
      const present = [...(byCall.get(keyOf(principalId, rpcId)) ?? [])].filter(({ certainly }) => !certainly.signal.aborted);
      const [only, another] = present;
      if (only && !another) leaveCertainly(only);
      else for (const { perhaps } of present) perhaps.abort();
      return only ? 'known' : 'unknown';
    },
  };
}

function leaveCertainly({ certainly, perhaps }: Leaving): void {
  certainly.abort();
  perhaps.abort();
}

/** The ids 1 and "1" differ (JSON-RPC 2.0 section 4). */
function keyOf(principalId: string, rpcId: string | number): string {
  return JSON.stringify([principalId, rpcId]);
}
