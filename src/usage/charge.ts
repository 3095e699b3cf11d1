import type { Principal } from '../auth/principal.ts';
import { GatewayError, mayBeBilled } from '../errors.ts';
import type { Measures } from '../events.ts';
import type { Clock } from '../ports.ts';
import { dateOf } from '../utc-day.ts';
import type { JobRef } from './accounts.ts';
import type { Budgets } from './budgets.ts';
import type { Estimate } from './cost.ts';
import type { UsageBook } from './usage-book.ts';

/** The work of one call. */
type ChargedWork = Readonly<{
  principal: Principal;
  tool: string;
  /** What it may cost; `undefined` if it is free. */
  estimate: (() => Estimate) | undefined;
  /** `undefined` if it has no record. */
  job: JobRef | undefined;
  measure: (measures: Measures) => void;
  /** What has been measured; it grows. */
  measures: Measures;
}>;

/**
 * Does work within the budgets: sets aside what it may cost before, and settles what it has cost after, however it ends.
 * What was used is added to the day's usage. Throws `over_budget` or `price_unknown` instead of beginning it.
 */
export type Charge = <Output extends Record<string, unknown>>(charged: ChargedWork, work: () => Promise<Output>) => Promise<Output>;

export function createCharge(budgets: Budgets, book: UsageBook, { now }: Pick<Clock, 'now'>): Charge {
  return async (charged, work) => {
    const { principal, estimate, job, measures } = charged;
    const date = dateOf(now());
    const settle = estimate && budgets.isLimited(principal) ? await budgets.reserve(principal, estimate(), job) : () => {};
    let isFailed = true;
    try {
      const output = await work();
      isFailed = false;
      if (estimate && typeof output.cost_usd !== 'number') assumeEstimate(charged);
      return output;
    } catch (error) {
      if (estimate && mayHaveCost(error)) assumeEstimate(charged);
      throw error;
    } finally {
      settle(measures.cost_usd ?? 0);
      book.add(date, rowOf(charged, isFailed));
    }
  };
}

/** An unknown error may have happened after the upstream was asked. Otherwise, whoever leaves before the answer would pay nothing. */
function mayHaveCost(error: unknown): boolean {
  if (!(error instanceof GatewayError)) return true;
  const { failure } = error;
  return failure.kind === 'cancelled' ? failure.sent === true : mayBeBilled(failure);
}

/** What was or may have been billed, and nobody says how much: then log, records and budgets all count the estimate. */
function assumeEstimate({ estimate, measure, measures }: ChargedWork): void {
  if (measures.cost_usd !== undefined) return;
  const estimated = estimate?.();
  if (estimated && 'usd' in estimated) measure({ cost_usd: estimated.usd });
}

function rowOf({ principal, tool, measures }: ChargedWork, isFailed: boolean) {
  const { model = '', input_tokens = 0, output_tokens = 0, blobs = [], bytes = 0, cost_usd = 0 } = measures;
  const { id, name } = principal;
  // Of what has cost nothing, the name may be any text that a client has made up.
  const isKnown = !isFailed || cost_usd > 0;
  const used = { input_tokens, output_tokens, files: blobs.length, bytes, cost_usd };
  return { principal: id, name, tool, model: isKnown ? model : '', calls: 1, failures: isFailed ? 1 : 0, ...used };
}
