import type { z } from 'zod';

/** One sentence for each thing wrong with the arguments of a call: which argument, and what is allowed. */
export function describeProblems(error: z.ZodError, allowedArguments: readonly string[]): string[] {
  return error.issues.flatMap((issue) => describeIssue(issue, [], allowedArguments));
}

function describeIssue(issue: z.core.$ZodIssue, parents: readonly PropertyKey[], allowed: readonly string[]): string[] {
  const path = [...parents, ...issue.path];
  const at = formatPath(path);
  if (issue.code === 'unrecognized_keys') {
    const known = path.length === 0 ? `; allowed: ${allowed.join(', ')}` : '';
    return issue.keys.map((key) => `${formatPath([...path, key])}: unknown argument${known}`);
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) return describeUnion(issue, path, allowed);
  if (issue.code === 'invalid_key') return issue.issues.map(({ message }) => `${at}: the key ${lowerFirst(message)}`);
  if (issue.code === 'invalid_type' && issue.input === undefined && issue.message.endsWith('received undefined')) {
    return [`${at}: is required (${issue.expected})`];
  }
  return [`${at}: ${issue.message}`];
}

/** The branch that got furthest is the one that was meant; when none got anywhere, all that they expect is told. */
function describeUnion(issue: z.core.$ZodIssueInvalidUnion, path: readonly PropertyKey[], allowed: readonly string[]): string[] {
  const deep = issue.errors.find((branch) => branch.some((inner) => inner.path.length > 0));
  if (deep) return deep.flatMap((inner) => describeIssue(inner, path, allowed));
  if (issue.message !== 'Invalid input') return [`${formatPath(path)}: ${issue.message}`];
  return [`${formatPath(path)}: ${issue.errors.map((branch) => branch.map((inner) => inner.message).join(' and ')).join(', or ')}`];
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** `messages[0].content` */
function formatPath(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return text.replace(/^\./, '') || 'arguments';
}
