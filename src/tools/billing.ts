import * as z from 'zod';
import type { Upstream } from '../openai/upstreams.ts';
import type { Cost, Estimate } from '../usage/cost.ts';
import type { Billed } from '../usage/rates.ts';
import { type ToolContext, UNPUBLISHED } from './tool.ts';

/**
 * What every paid result says of its cost. `cost_note`: why that is not known, or only an estimate. `served_by`: the host of
 * the second upstream, if the first has refused the call.
 */
export const costShape = {
  cost_usd: z.number().optional(),
  cost_note: z.string().optional().meta(UNPUBLISHED),
  served_by: z.string().optional().meta(UNPUBLISHED),
};
export type CostFields = Readonly<{ cost_usd?: number; cost_note?: string }>;

/** Notes what a request has cost, as soon as that is known: also for when the rest of the call fails. */
export function bill({ prices, measure }: ToolContext, upstream: Upstream, billed: Billed): Cost {
  return measured(measure, prices.costOf(upstream, billed));
}

export function measured(measure: ToolContext['measure'], cost: Cost): Cost {
  if ('usd' in cost) measure({ cost_usd: cost.usd });
  return cost;
}

export function costFields(cost: Cost): CostFields {
  if ('problem' in cost) return { cost_note: cost.problem };
  return { cost_usd: cost.usd, ...(cost.note !== undefined && { cost_note: cost.note }) };
}

/** `cheaper`: what would make the call cost less. */
export function estimateOf({ prices }: ToolContext, upstream: Upstream, billed: Billed, cheaper: string): Estimate {
  const cost = prices.costOf(upstream, billed);
  return 'problem' in cost ? cost : { usd: cost.usd, model: billed.model, cheaper };
}
