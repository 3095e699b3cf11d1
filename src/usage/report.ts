import { DAY_MS, dateOf } from '../utc-day.ts';
import type { BudgetState } from './budgets.ts';
import { roundUsd } from './cost.ts';
import { type Counts, sumCounts, type UsageRow } from './rows.ts';
import type { UsageDay } from './usage-book.ts';

/** The last 31 days are what is kept everywhere. */
export const MAX_REPORT_DAYS = 31;

const NOTHING: Counts = { calls: 0, failures: 0, input_tokens: 0, output_tokens: 0, files: 0, bytes: 0, cost_usd: 0 };

/** The dates of so many days until today, in UTC. */
export function lastDates(days: number, nowMs: number): string[] {
  return Array.from({ length: days }, (_, index) => dateOf(nowMs - (days - 1 - index) * DAY_MS));
}

/** What was used, as `GET /usage` returns it: each day, all of them, and by principal, tool and model; what costs most first. */
export function reportUsage(scope: 'principal' | 'all', days: readonly UsageDay[], budget: BudgetState | undefined) {
  const all = days.flatMap(({ rows }) => rows);
  return {
    from: days.at(0)?.date,
    to: days.at(-1)?.date,
    scope,
    budget: budget ? toBudget(budget) : null,
    totals: total(all),
    by_principal: totalBy(all, 'principal', ({ name: principal }) => ({ principal })),
    by_tool: totalBy(all, 'tool', ({ tool }) => ({ tool })),
    by_model: totalBy(all, 'model', ({ model }) => ({ model })),
    days: days.map(({ date, rows }) => ({ date, ...total(rows), rows: rows.map(toRow).toSorted(byCost) })),
  };
}

function toBudget({ limitUsd, spentUsd, reservedUsd, leftUsd, renewsMs }: BudgetState) {
  return {
    limit_usd: limitUsd,
    spent_usd: roundUsd(spentUsd),
    reserved_usd: roundUsd(reservedUsd),
    left_usd: roundUsd(leftUsd),
    renews_at: new Date(renewsMs).toISOString(),
  };
}

function toRow({ name, tool, model, ...counts }: UsageRow) {
  return { principal: name, tool, model, ...total([counts]) };
}

/** Principals are told apart by their id, and called by their latest name. */
function totalBy<Label>(rows: readonly UsageRow[], key: 'principal' | 'tool' | 'model', labelOf: (latest: UsageRow) => Label) {
  const groups = [...Map.groupBy(rows, (row) => row[key]).values()];
  return groups.map((group) => ({ ...labelOf(group.at(-1) as UsageRow), ...total(group) })).toSorted(byCost);
}

function total(rows: readonly Counts[]): Counts {
  const { cost_usd, ...counts } = rows.reduce(sumCounts, NOTHING);
  return { ...counts, cost_usd: roundUsd(cost_usd) };
}

function byCost(a: Counts, b: Counts): number {
  return b.cost_usd - a.cost_usd || b.calls - a.calls;
}
