import type { Clock } from '../ports.ts';
import type { SealedStore } from './sealed-store.ts';
import type { WaitingCall } from './waiters.ts';

/** The cancellations of calls that no job of this process waits for: another process may have them. */
export type Cancellations = Readonly<{
  remember: (principalId: string, rpcId: string | number) => Promise<void>;
  /** When a call with this id was last cancelled; 0 if that is unknown. */
  lastMs: (principalId: string, rpcId: string | number) => Promise<number>;
  /** Whether a call has been cancelled since its arrival, as far as the store can tell. */
  since: (call: Pick<WaitingCall, 'principal' | 'rpcId' | 'sinceMs'>) => Promise<boolean>;
}>;

export function createCancellations(sealed: SealedStore, { now }: Pick<Clock, 'now'>): Cancellations {
  const placeOf = async (principalId: string, rpcId: string | number) =>
    (await sealed.placesOf('cancelled', principalId, JSON.stringify(rpcId)))[0] as string;
  async function lastMs(principalId: string, rpcId: string | number): Promise<number> {
    const found = await sealed.read(await placeOf(principalId, rpcId));
    const { at_ms } = (found?.value ?? {}) as { at_ms?: unknown };
    return typeof at_ms === 'number' ? at_ms : 0;
  }

  return {
    async remember(principalId, rpcId) {
      const place = await placeOf(principalId, rpcId);
      const value = { at_ms: now() };
      if ((await sealed.create(place, value)) !== 'exists') return;
      const earlier = await sealed.read(place);
      if (earlier) await sealed.replace(place, value, earlier.version);
    },
    lastMs,
    since: async ({ principal, rpcId, sinceMs }) => (await lastMs(principal.id, rpcId).catch(() => 0)) >= sinceMs,
  };
}
