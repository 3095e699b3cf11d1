import * as z from 'zod';

const count = z.number();

const counts = z.object({
  calls: count,
  failures: count,
  input_tokens: count,
  output_tokens: count,
  /** Files that were stored, and their size. */
  files: count,
  bytes: count,
  cost_usd: count,
});
/** What was used. */
export type Counts = Readonly<z.output<typeof counts>>;

/** What one principal has used of one tool and model on one day. */
export const usageRow = z.object({
  /** The id of the principal, and its name. */
  principal: z.string(),
  name: z.string(),
  tool: z.string(),
  /** Empty if the tool has none. */
  model: z.string(),
  ...counts.shape,
});
export type UsageRow = Readonly<z.output<typeof usageRow>>;

/** More different rows of one day are added to one for each principal, and beyond twice as many to one for all of them. */
const MAX_ROWS = 2_000;
const OTHER = { tool: 'other', model: 'other' };
/** No principal has this id. */
const ALL = { ...OTHER, principal: '', name: 'other' };

const keyOf = ({ principal, tool, model }: UsageRow) => JSON.stringify([principal, tool, model]);

/** Adds up what belongs together. */
export function withRows(rows: readonly UsageRow[], more: readonly UsageRow[], maxRows = MAX_ROWS): UsageRow[] {
  const byKey = new Map(rows.map((row) => [keyOf(row), row]));
  for (const row of more) addRow(byKey, row, maxRows);
  return [...byKey.values()];
}

/** Adds a row to those of its day, and returns the one that has changed, with its key. */
export function addRow(byKey: Map<string, UsageRow>, row: UsageRow, maxRows = MAX_ROWS): { key: string; row: UsageRow } {
  const fits = (candidate: UsageRow, max: number) => byKey.has(keyOf(candidate)) || byKey.size < max;
  const ofPrincipal = { ...row, ...OTHER };
  const target = fits(row, maxRows) ? row : fits(ofPrincipal, 2 * maxRows) ? ofPrincipal : { ...row, ...ALL };
  const key = keyOf(target);
  const known = byKey.get(key);
  const changed = known ? { ...target, ...sumCounts(known, target) } : target;
  byKey.set(key, changed);
  return { key, row: changed };
}

export function sumCounts(a: Counts, b: Counts): Counts {
  return {
    calls: a.calls + b.calls,
    failures: a.failures + b.failures,
    input_tokens: a.input_tokens + b.input_tokens,
    output_tokens: a.output_tokens + b.output_tokens,
    files: a.files + b.files,
    bytes: a.bytes + b.bytes,
    cost_usd: a.cost_usd + b.cost_usd,
  };
}
