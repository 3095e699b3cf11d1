import type { Principal } from '../auth/principal.ts';
import { GatewayError } from '../errors.ts';
import type { Clock } from '../ports.ts';
import { DAY_MS, dateOf, startOfDay } from '../utc-day.ts';
import { leftUsd, reservedUsd } from './account.ts';
import { type AccountId, type Accounts, GATEWAY, type HoldResult, type JobRef, ownerOf, type Settle } from './accounts.ts';
import type { Estimate } from './cost.ts';

/** What each principal, and all of them together, may spend on a day in UTC. */
export type Budgets = Readonly<{
  /** Whether calls of this principal need a reservation at all. */
  isLimited: (principal: Principal) => boolean;
  /**
   * Sets aside what a call may cost, in the principal's budget and in the gateway's. Throws `over_budget`, or
   * `price_unknown` when it may cost anything.
   */
  reserve: (principal: Principal, estimate: Estimate, job: JobRef | undefined) => Promise<Settle>;
  /** The state of a principal's budget today, or of the gateway's; `undefined`: there is none. */
  read: (whose: Principal | 'gateway') => Promise<BudgetState | undefined>;
}>;

/** `reservedUsd`: what is set aside for calls in flight. */
export type BudgetState = Readonly<{ limitUsd: number; spentUsd: number; reservedUsd: number; leftUsd: number; renewsMs: number }>;

type Budget = Readonly<{ name: 'principal' | 'gateway'; limitUsd: number; id: AccountId }>;
type Refusal = Budget & Readonly<{ leftUsd: number }>;

export function createBudgets(accounts: Accounts, gatewayUsdPerDay: number | undefined, { now }: Pick<Clock, 'now'>): Budgets {
  const renewsMs = () => startOfDay(now()) + DAY_MS;

  function budgetOf(whose: Principal | 'gateway'): Budget | undefined {
    const date = dateOf(now());
    const limitUsd = whose === 'gateway' ? gatewayUsdPerDay : whose.limits.budgetUsdPerDay;
    if (limitUsd === undefined) return undefined;
    if (whose === 'gateway') return { name: whose, limitUsd, id: { owner: GATEWAY, date } };
    return { name: 'principal', limitUsd, id: { owner: ownerOf(whose.id), date } };
  }

  const budgetsOf = (principal: Principal) => [budgetOf(principal), budgetOf('gateway')].filter((budget) => budget !== undefined);

  async function reserve(principal: Principal, estimate: Estimate, job: JobRef | undefined): Promise<Settle> {
    const budgets = budgetsOf(principal);
    if (budgets.length === 0) return () => {};
    if ('problem' in estimate) throw new GatewayError({ kind: 'price_unknown', problem: estimate.problem });
    const { usd } = estimate;
    const results = await Promise.allSettled(budgets.map(({ id, limitUsd }) => accounts.hold(id, { usd, limitUsd, job })));
    const held = results.flatMap((result) => (result.status === 'fulfilled' && 'settle' in result.value ? [result.value.settle] : []));
    if (held.length === budgets.length) return (spentUsd) => settleAll(held, spentUsd);
    settleAll(held, 0);
    throw refusalOf(budgets, results, principal, usd);
  }

  function refusalOf(
    budgets: readonly Budget[],
    results: readonly PromiseSettledResult<HoldResult>[],
    principal: Principal,
    usd: number,
  ): unknown {
    const failed = results.find((result) => result.status === 'rejected');
    if (failed) return unusable(failed.reason);
    const refusals: Refusal[] = results.flatMap((result, index) => {
      const budget = budgets[index];
      return budget && result.status === 'fulfilled' && 'leftUsd' in result.value ? [{ ...budget, leftUsd: result.value.leftUsd }] : [];
    });
    const [{ name, limitUsd, leftUsd } = { name: 'gateway' as const, limitUsd: 0, leftUsd: 0 }] = refusals;
    const whose = name === 'gateway' ? 'the gateway' : principal.name;
    return new GatewayError({ kind: 'over_budget', whose, limitUsd, leftUsd, estimateUsd: usd, nowMs: now(), renewsMs: renewsMs() });
  }

  return {
    isLimited: (principal) => budgetsOf(principal).length > 0,
    reserve,
    async read(whose) {
      const budget = budgetOf(whose);
      if (!budget) return undefined;
      const { limitUsd, id } = budget;
      const account = await accounts.read(id);
      return {
        limitUsd,
        spentUsd: account.spentUsd,
        reservedUsd: reservedUsd(account),
        leftUsd: leftUsd(account, limitUsd),
        renewsMs: renewsMs(),
      };
    },
  };
}

function settleAll(settles: readonly Settle[], usd: number): void {
  for (const settle of settles) settle(usd);
}

/** Nobody knows what is left, so nothing is sent. */
function unusable(cause: unknown): unknown {
  return cause instanceof GatewayError ? new GatewayError({ kind: 'storage_unusable', reason: cause.failure }, { cause }) : cause;
}
