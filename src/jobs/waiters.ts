import type { Clock } from '../ports.ts';

/** A call whose client waits for a job, from its start until shortly after its answer. */
export type Waiter = Readonly<{
  /** The JSON-RPC id of the call. */
  rpcId: string | number;
  /** Aborted when the client has left: it disconnected, or cancelled. */
  left: AbortSignal;
  /** The call has been answered; a cancellation still counts for a short while, as it may have crossed the answer. */
  end: () => void;
}>;

export type Waiters = Readonly<{
  add: (principalId: string, rpcId: string | number, signal: AbortSignal) => Waiter;
  /**
   * A client cancelled the call with this id. Ids are unique only within a client, of which a principal may have many: one
   * that several calls share says nothing, and is `ambiguous`.
   */
  cancel: (principalId: string, rpcId: string | number) => 'left' | 'ambiguous' | 'unknown';
}>;

const CROSSING_MS = 10_000;

/** The registry of this process. */
export function createWaiters({ sleep }: Pick<Clock, 'sleep'>): Waiters {
  const byCall = new Map<string, Set<AbortController>>();

  return {
    add(principalId, rpcId, signal) {
      const key = keyOf(principalId, rpcId);
      const leaving = new AbortController();
      const leave = () => leaving.abort();
      signal.addEventListener('abort', leave, { once: true });
      if (signal.aborted) leave();
      const same = byCall.get(key) ?? new Set();
      byCall.set(key, same.add(leaving));
      return {
        rpcId,
        left: leaving.signal,
        end() {
          signal.removeEventListener('abort', leave);
          void sleep(CROSSING_MS).then(() => {
            same.delete(leaving);
            if (same.size === 0 && byCall.get(key) === same) byCall.delete(key);
          });
        },
      };
    },
    cancel(principalId, rpcId) {
      const same = byCall.get(keyOf(principalId, rpcId));
      const [only, another] = same ?? [];
      if (another) return 'ambiguous';
      only?.abort();
      return only ? 'left' : 'unknown';
    },
  };
}

/** The ids 1 and "1" differ (JSON-RPC 2.0 section 4). */
function keyOf(principalId: string, rpcId: string | number): string {
  return JSON.stringify([principalId, rpcId]);
}
