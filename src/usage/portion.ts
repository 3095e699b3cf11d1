import { type Account, leftUsd } from './account.ts';
import type { HoldResult, Settle } from './accounts.ts';
import type { Change, SharedRecord } from './shared-record.ts';

/**
 * What a process has taken from an account for calls that have no record. They draw on it without a request to the
 * store; it counts as spent if the process dies. Amounts are US dollars.
 */
export type Portion = Readonly<{
  hold: (usd: number, limitUsd: number) => Promise<HoldResult>;
  /** Writes what was spent, and gives back what was not needed since the last time. Throws a `storage` failure. */
  tend: (isLast?: boolean) => Promise<void>;
  /** Whether nothing is taken or unwritten. */
  isEmpty: () => boolean;
}>;

/** Of a budget, taken at once: what a process that dies can cost. */
const SHARE = 1 / 50;
/** Sums and differences of binary fractions leave less than this behind. */
const DUST_USD = 1e-12;

const withoutDust = (usd: number) => (Math.abs(usd) < DUST_USD ? 0 : usd);

type Waiting = Readonly<{ usd: number; done: PromiseWithResolvers<HoldResult> }>;

export function createPortion(record: Pick<SharedRecord<Account>, 'change'>, processId: string): Portion {
  /** What the store has set aside; and of that, what calls in flight may use, and what is spent but not written. */
  let grantedUsd = 0;
  let heldUsd = 0;
  let spentUsd = 0;
  let limitUsd = 0;
  let isUsed = false;
  let renewing: Promise<void> | undefined;
  const waiting: Waiting[] = [];

  const freeUsd = () => grantedUsd - heldUsd - spentUsd;

  function take(usd: number): { settle: Settle } {
    heldUsd += usd;
    isUsed = true;
    let isSettled = false;
    return {
      settle(actualUsd) {
        if (isSettled) return;
        isSettled = true;
        heldUsd = withoutDust(heldUsd - usd);
        spentUsd += actualUsd;
      },
    };
  }

  function renewSoon(): Promise<void> {
    renewing ??= renewAll().finally(() => {
      renewing = undefined;
    });
    return renewing;
  }

  async function renewAll(): Promise<void> {
    do {
      const served = [...waiting];
      const renewed = await renew(served).catch((error: unknown) => ({ error }));
      waiting.splice(0, served.length);
      for (const { usd, done } of served) {
        if ('error' in renewed) done.reject(renewed.error);
        else done.resolve(renewed.fitting.has(done) ? take(usd) : { leftUsd: renewed.leftUsd });
      }
      if ('error' in renewed && served.length === 0 && waiting.length === 0) throw renewed.error;
    } while (waiting.length > 0);
  }

  /** Writes what was spent, and takes what the waiting calls and the next ones need, or as much of that as is left. */
  async function renew(served: readonly Waiting[]) {
    const aheadUsd = isUsed || served.length > 0 ? limitUsd * SHARE : 0;
    const spareUsd = aheadUsd === 0 ? Math.max(0, freeUsd()) : 0;
    // First, so that no call takes it meanwhile.
    grantedUsd -= spareUsd;
    isUsed = false;
    const fitting = new Set<Waiting['done']>();
    let [left, writtenUsd, portionUsd] = [0, 0, 0];
    const change: Change<Account> = (account) => {
      fitting.clear();
      writtenUsd = spentUsd;
      const storedUsd = account.holds[processId]?.usd ?? 0;
      // It may be less than what was spent, as estimates err.
      const restUsd = Math.max(0, storedUsd - writtenUsd - spareUsd);
      const rest = withPortion({ ...account, spentUsd: account.spentUsd + writtenUsd }, processId, restUsd);
      left = leftUsd(rest, limitUsd);
      let neededUsd = heldUsd;
      for (const { usd, done } of served) {
        if (neededUsd + usd > restUsd + left) continue;
        neededUsd += usd;
        fitting.add(done);
      }
      const missingUsd = Math.min(left, Math.max(0, neededUsd - restUsd));
      const moreUsd = Math.max(0, Math.min(neededUsd + aheadUsd - restUsd - missingUsd, (left - missingUsd) / 2));
      portionUsd = withoutDust(restUsd + missingUsd + moreUsd);
      const isChanged = writtenUsd !== 0 || withoutDust(portionUsd - storedUsd) !== 0;
      return { value: isChanged ? withPortion(rest, processId, portionUsd) : account, isShort: fitting.size < served.length };
    };
    await record.change(change).catch((error: unknown) => {
      grantedUsd += spareUsd;
      throw error;
    });
    grantedUsd = portionUsd;
    spentUsd = withoutDust(spentUsd - writtenUsd);
    return { fitting, leftUsd: left };
  }

  return {
    async hold(usd, newLimitUsd) {
      limitUsd = newLimitUsd;
      if (waiting.length === 0 && usd <= freeUsd()) {
        const taken = take(usd);
        // Ahead of need, so that the next calls do not wait for the store.
        if (freeUsd() < (limitUsd * SHARE) / 4 && !renewing) renewSoon().catch(() => {});
        return taken;
      }
      const done = Promise.withResolvers<HoldResult>();
      waiting.push({ usd, done });
      renewSoon().catch(() => {});
      return done.promise;
    },
    async tend(isLast = false) {
      // What is under way may take more for the next calls.
      if (isLast) await renewing?.catch(() => {});
      if (isLast) isUsed = false;
      await renewSoon();
    },
    isEmpty: () => grantedUsd === 0 && heldUsd === 0 && spentUsd === 0 && waiting.length === 0,
  };
}

function withPortion(account: Account, processId: string, usd: number): Account {
  const { [processId]: _portion, ...holds } = account.holds;
  return { ...account, holds: usd > 0 ? { ...holds, [processId]: { usd } } : holds };
}
