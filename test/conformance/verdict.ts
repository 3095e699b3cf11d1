import { exceptions } from './exceptions.ts';
import type { Check, ScenarioResult } from './suites.ts';

export type Verdict = Readonly<{
  /** How many checks of the scenario succeeded. */
  passed: number;
  /** The entries of the exceptions that apply: the scenario, or some of its checks. */
  excusedBy: readonly string[];
  /** Whether the scenario is excused as a whole. */
  isExcused: boolean;
  reasons: readonly string[];
  /** What is neither passed nor excused. */
  problems: readonly string[];
}>;

const provingNothing = new Set(exceptions.flatMap(({ provesNothing = [] }) => provesNothing));
const reasonOf = new Map(
  exceptions.flatMap(({ reason, fails, provesNothing = [] }) => [...fails, ...provesNothing].map((entry) => [entry, reason] as const)),
);

/** Warnings count as failures, as in the suite's own `--expected-failures`. */
const isFailure = ({ status }: Check) => status === 'FAILURE' || status === 'WARNING';
/** Whether all messages are valid is checked beside each scenario, and is excused by none. */
const isAboutMessages = ({ id }: Check) => id.startsWith('wire-schema');

/** What a result means. */
export function judge({ scenario, checks }: ScenarioResult): Verdict {
  const own = checks.filter((check) => !isAboutMessages(check));
  const succeeded = own.filter(({ status }) => status === 'SUCCESS');
  const failed = own.filter(isFailure);
  const entryOf = ({ id }: Check) => (reasonOf.has(scenario) ? scenario : `${scenario}:${id}`);
  const excusedBy = [...new Set(failed.map(entryOf).filter((entry) => reasonOf.has(entry)))];
  if (provingNothing.has(scenario)) excusedBy.push(scenario);
  const unexcused = [...failed.filter((check) => !reasonOf.has(entryOf(check))), ...checks.filter(isAboutMessages).filter(isFailure)];
  const stale = [scenario, ...succeeded.map(entryOf)].filter((entry) => reasonOf.has(entry) && !excusedBy.includes(entry));
  const isEmpty = succeeded.length === 0 && failed.length === 0 && excusedBy.length === 0;
  return {
    passed: succeeded.length,
    excusedBy,
    isExcused: excusedBy.includes(scenario),
    reasons: [...new Set(excusedBy.map((entry) => reasonOf.get(entry) ?? ''))],
    problems: [
      ...unexcused.map(({ id, errorMessage = '' }) => `${id} failed: ${errorMessage}`),
      ...[...new Set(stale)].map((entry) => `${entry} is expected to fail, but passes`),
      ...(isEmpty ? ['nothing was checked'] : []),
    ],
  };
}

/** Entries of the exceptions that applied to nothing. */
export function unusedExceptions(verdicts: readonly Verdict[]): string[] {
  const used = new Set(verdicts.flatMap(({ excusedBy }) => excusedBy));
  return [...reasonOf.keys()].filter((entry) => !used.has(entry));
}
