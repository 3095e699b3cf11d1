import type { Verdict } from './verdict.ts';

/** One scenario of one suite on one target. */
export type Outcome = Readonly<{ suite: string; target: string; scenario: string; verdict: Verdict }>;

/**
 * What a suite gave, as text: a row for each scenario and a column for each target, and below the scenarios that are
 * excused as a whole, by reason.
 */
export function describeSuite(outcomes: readonly Outcome[]): string {
  const targets = [...new Set(outcomes.map(({ target }) => target))];
  const byScenario = Map.groupBy(outcomes, ({ scenario }) => scenario);
  const { shown = [], hidden = [] } = Object.groupBy(byScenario.values(), (some) => (isExcused(some) ? 'hidden' : 'shown'));
  const rows = shown.map((some) => [
    some[0]?.scenario ?? '',
    ...targets.map((target) => describeVerdict(some.find((outcome) => outcome.target === target)?.verdict)),
    reasonsOf(some),
  ]);
  const excused = [...Map.groupBy(hidden, reasonsOf)].map(
    ([reason, group]) => `Not passed, as expected: ${reason}\n  ${group.map((some) => some[0]?.scenario).join(', ')}`,
  );
  return [align([['', ...targets, ''], ...rows]), ...excused].join('\n');
}

function isExcused(outcomes: readonly Outcome[]): boolean {
  return outcomes.every(({ verdict }) => verdict.isExcused && verdict.problems.length === 0);
}

function reasonsOf(outcomes: readonly Outcome[]): string {
  return [...new Set(outcomes.flatMap(({ verdict }) => verdict.reasons))].join('; ');
}

function describeVerdict(verdict: Verdict | undefined): string {
  if (verdict === undefined) return '-';
  if (verdict.problems.length > 0) return 'FAILED';
  const excused = verdict.excusedBy.length === 0 ? '' : `, ${verdict.excusedBy.length} expected to fail`;
  return `${verdict.passed} passed${excused}`;
}

export function align(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
