import * as z from 'zod';
import { MAX_NAME_CHARACTERS } from '../limits.ts';
import type { Limits } from './principal.ts';

const MAX_TOOLS = 100;
const MAX_NUMBER = 1_000_000;
export const TOOLS_RULE = 'must be an array of names of tools';
const BUDGET_RULE = `must be a number from 0 to ${MAX_NUMBER}`;
const COUNT_RULE = `must be a whole number from 1 to ${MAX_NUMBER}`;

const count = () => z.number(COUNT_RULE).refine((value) => Number.isInteger(value) && value >= 1 && value <= MAX_NUMBER, COUNT_RULE);

/** The limits of a principal as JSON states them. Messages complete the name of the field and never quote the value. */
export const limitFields = {
  tools: z.array(z.string(TOOLS_RULE).max(MAX_NAME_CHARACTERS, TOOLS_RULE), TOOLS_RULE).max(MAX_TOOLS, TOOLS_RULE).optional(),
  budget_usd_per_day: z
    .number(BUDGET_RULE)
    .refine((value) => value >= 0 && value <= MAX_NUMBER, BUDGET_RULE)
    .optional(),
  calls_per_minute: count().optional(),
  concurrent_calls: count().optional(),
};

/** Reads stated limits. Tools that the gateway does not have are kept, and allow nothing. */
export const limitsSchema = z.strictObject(limitFields).transform(
  ({ tools, budget_usd_per_day, calls_per_minute, concurrent_calls }): Limits => ({
    tools: tools && [...new Set(tools)].sort(),
    budgetUsdPerDay: budget_usd_per_day,
    callsPerMinute: calls_per_minute,
    concurrentCalls: concurrent_calls,
  }),
);

/** A principal's own limits, and the defaults for those that it does not have. */
export function mergeLimits(defaults: Limits, own: Limits): Limits {
  return {
    tools: own.tools ?? defaults.tools,
    budgetUsdPerDay: own.budgetUsdPerDay ?? defaults.budgetUsdPerDay,
    callsPerMinute: own.callsPerMinute ?? defaults.callsPerMinute,
    concurrentCalls: own.concurrentCalls ?? defaults.concurrentCalls,
  };
}
