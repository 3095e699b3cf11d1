import * as z from 'zod';

const count = z.number();

/** What one principal has used of one tool and model on one day. */
export const usageRow = z.object({
  /** The id of the principal, and its name. */
  principal: z.string(),
  name: z.string(),
  tool: z.string(),
  /** Empty if the tool has none. */
  model: z.string(),
  calls: count,
  failures: count,
  input_tokens: count,
  output_tokens: count,
  /** Files that were stored, and their size. */
  files: count,
  bytes: count,
  cost_usd: count,
});
export type UsageRow = Readonly<z.output<typeof usageRow>>;

/** More different rows of one day are added to one for all others. */
const MAX_ROWS = 2_000;
const OTHER = { name: 'other', tool: 'other', model: 'other' };

const keyOf = ({ principal, tool, model }: UsageRow) => JSON.stringify([principal, tool, model]);

/** Adds up what belongs together. */
export function withRows(rows: readonly UsageRow[], more: readonly UsageRow[], maxRows = MAX_ROWS): UsageRow[] {
  const byKey = new Map(rows.map((row) => [keyOf(row), row]));
  for (const row of more) {
    const known = byKey.get(keyOf(row));
    const isNew = known === undefined && byKey.size >= maxRows;
    const target = isNew ? { ...row, ...OTHER } : row;
    const key = keyOf(target);
    byKey.set(key, sum(byKey.get(key), target));
  }
  return [...byKey.values()];
}

function sum(a: UsageRow | undefined, b: UsageRow): UsageRow {
  if (!a) return b;
  return {
    ...b,
    calls: a.calls + b.calls,
    failures: a.failures + b.failures,
    input_tokens: a.input_tokens + b.input_tokens,
    output_tokens: a.output_tokens + b.output_tokens,
    files: a.files + b.files,
    bytes: a.bytes + b.bytes,
    cost_usd: a.cost_usd + b.cost_usd,
  };
}
