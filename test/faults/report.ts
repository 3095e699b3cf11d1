import { align } from '../conformance/report.ts';
import { CALLS, nameOf, TARGETS } from './matrix.ts';
import type { CellResult } from './verdict.ts';

/** A table for each target: a row for each fault, a column for each tool; below, what went wrong. */
export function describeResults(results: readonly CellResult[]): string {
  const tables = TARGETS.map((target) => {
    const own = results.filter(({ cell }) => cell.target === target);
    const tools = Object.keys(CALLS).filter((tool) => own.some(({ cell }) => cell.tool === tool));
    const rows = [...Map.groupBy(own, ({ cell }) => cell.fault)].map(([fault, some]) => [
      fault,
      ...tools.map((tool) => describeCell(some.find(({ cell }) => cell.tool === tool))),
    ]);
    return own.length === 0 ? '' : `${target.name}\n${align([['', ...tools], ...rows])}\n`;
  });
  return tables.filter(Boolean).join('\n');
}

export function describeProblems(results: readonly CellResult[]): string[] {
  return results.flatMap(({ cell, problems }) => problems.map((problem) => `${nameOf(cell)}: ${problem}`));
}

function describeCell(result: CellResult | undefined): string {
  if (!result) return '-';
  if (!result.summary) return 'FAILED';
  const { kind, paidPosts, blobs, elapsedSeconds } = result.summary;
  return `${result.problems.length > 0 ? 'FAILED ' : ''}${kind} ${paidPosts}/${blobs} ${elapsedSeconds} s`;
}
