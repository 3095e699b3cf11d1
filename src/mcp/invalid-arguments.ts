import type { z } from 'zod';
import { MAX_NAME_CHARACTERS, MAX_PROBLEM_CHARACTERS, MAX_PROBLEMS } from '../limits.ts';

/**
 * Describes the first few invalid arguments, one sentence each (which argument, and what is allowed), and counts the
 * rest.
 */
export function describeProblems(error: z.ZodError, allowedArguments: readonly string[]): string[] {
  const problems: string[] = [];
  let more = 0;
  for (const problem of problemsOf(error.issues, [], allowedArguments)) {
    if (problems.length < MAX_PROBLEMS) problems.push(cut(problem, MAX_PROBLEM_CHARACTERS));
    else more++;
  }
  return more === 0 ? problems : [...problems, `and ${more} more`];
}

type Path = readonly PropertyKey[];

function* problemsOf(issues: readonly z.core.$ZodIssue[], parents: Path, allowed: readonly string[]): Generator<string> {
  for (const issue of issues) yield* describeIssue(issue, [...parents, ...issue.path], allowed);
}

function* describeIssue(issue: z.core.$ZodIssue, path: Path, allowed: readonly string[]): Generator<string> {
  const at = formatPath(path);
  if (issue.code === 'unrecognized_keys') {
    const known = path.length === 0 ? `; allowed: ${allowed.join(', ')}` : '';
    for (const key of issue.keys) yield `${formatPath([...path, key])}: unknown argument${known}`;
  } else if (issue.code === 'invalid_union' && issue.errors.length > 0) yield* describeUnion(issue, path, allowed);
  else if (issue.code === 'invalid_key') for (const { message } of issue.issues) yield `${at}: the key ${lowerFirst(message)}`;
  else if (issue.code === 'invalid_type' && issue.input === undefined && issue.message.endsWith('received undefined')) {
    yield `${at}: is required (${issue.expected})`;
  } else yield `${at}: ${issue.message}`;
}

/** Reports the union branch that matched furthest; when none matched at all, lists what every branch expects. */
function* describeUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path, allowed: readonly string[]): Generator<string> {
  const deep = issue.errors.find((branch) => branch.some((inner) => inner.path.length > 0));
  if (deep) yield* problemsOf(deep, path, allowed);
  else if (issue.message !== 'Invalid input') yield `${formatPath(path)}: ${issue.message}`;
  else yield `${formatPath(path)}: ${issue.errors.map((branch) => branch.map((inner) => inner.message).join(' and ')).join(', or ')}`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** `messages[0].content` */
function formatPath(path: Path): string {
  const parts = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${cut(String(key), MAX_NAME_CHARACTERS)}`));
  const text = parts.join('');
  return (text.startsWith('.') ? text.slice(1) : text) || 'arguments';
}

/** Truncates untrusted text, marking the cut with an ellipsis. */
export function cut(text: string, maxCharacters: number): string {
  return text.length <= maxCharacters ? text : `${text.slice(0, maxCharacters - 1)}…`;
}
