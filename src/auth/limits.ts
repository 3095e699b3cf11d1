import * as z from 'zod';
import type { Limits } from './principal.ts';

/** The limits of a principal as operators write them, in JSON. */
export const limitsSchema = z
  .strictObject({
    tools: z.array(z.string()).optional(),
    budget_usd_per_day: z.number().nonnegative().optional(),
    calls_per_minute: z.int().positive().optional(),
    concurrent_calls: z.int().positive().optional(),
  })
  .transform(
    ({ tools, budget_usd_per_day, calls_per_minute, concurrent_calls }): Limits => ({
      tools,
      budgetUsdPerDay: budget_usd_per_day,
      callsPerMinute: calls_per_minute,
      concurrentCalls: concurrent_calls,
    }),
  );

/** A principal's own limits come before the defaults. */
export function mergeLimits(defaults: Limits, own: Limits): Limits {
  return {
    tools: own.tools ?? defaults.tools,
    budgetUsdPerDay: own.budgetUsdPerDay ?? defaults.budgetUsdPerDay,
    callsPerMinute: own.callsPerMinute ?? defaults.callsPerMinute,
    concurrentCalls: own.concurrentCalls ?? defaults.concurrentCalls,
  };
}
