import type * as z from 'zod';
import { MAX_NAME_CHARACTERS, MAX_PROBLEM_CHARACTERS, MAX_PROBLEMS } from '../limits.ts';
import { nearestName } from '../nearest-name.ts';
import type { DeclaredArguments, PlainSchema } from './normalize-arguments.ts';

/**
 * Describes the first few invalid arguments, one sentence each (which argument, and what is allowed), and counts the
 * rest.
 */
export function describeProblems(error: z.ZodError, declared: DeclaredArguments): string[] {
  const problems: string[] = [];
  let more = 0;
  for (const problem of problemsOf(error.issues, [], declared)) {
    if (problems.length < MAX_PROBLEMS) problems.push(cut(problem(), MAX_PROBLEM_CHARACTERS));
    else more++;
  }
  return more === 0 ? problems : [...problems, `and ${more} more`];
}

type Path = readonly PropertyKey[];
/** Worded only when it is reported: there may be thousands. */
type Problem = () => string;

function* problemsOf(issues: readonly z.core.$ZodIssue[], parents: Path, declared: DeclaredArguments): Generator<Problem> {
  for (const [index, issue] of issues.entries()) {
    if (!isRepeated(issue, issues[index - 1], issues[index + 1])) yield* describeIssue(issue, [...parents, ...issue.path], declared);
  }
}

type Issue = z.core.$ZodIssue;

/** Whether the issue beside it says more: that the value has another type, or a bound that is narrower. */
function isRepeated(issue: Issue, before: Issue | undefined, after: Issue | undefined): boolean {
  const isBound = issue.code === 'too_small' || issue.code === 'too_big';
  if (!isBound) return false;
  return (before?.code === 'invalid_type' && isSamePath(issue, before)) || (after?.code === issue.code && isSamePath(issue, after));
}

function isSamePath(one: Issue, other: Issue): boolean {
  return one.path.length === other.path.length && one.path.every((key, index) => key === other.path[index]);
}

function* describeIssue(issue: z.core.$ZodIssue, path: Path, declared: DeclaredArguments): Generator<Problem> {
  if (issue.code === 'unrecognized_keys') for (const key of issue.keys) yield () => describeUnknown(key, path, declared);
  else if (issue.code === 'invalid_union') yield* describeUnion(issue, path, declared);
  else if (issue.code === 'invalid_key') for (const { message } of issue.issues) yield () => `${formatPath(path)}: the key ${message}`;
  else yield () => `${formatPath(path)}: ${issue.message}`;
}

function describeUnknown(key: string, path: Path, declared: DeclaredArguments): string {
  const alias = path.length === 0 && Object.hasOwn(declared.aliases, key) ? declared.aliases[key] : undefined;
  if (alias) return `${key}: is another name of ${alias}; pass one of them`;
  const known = namesAt(path, declared.schema);
  const nearest = nearestName(key, known);
  const hint = nearest ? `; did you mean ${nearest}?` : known.length > 0 ? `; allowed: ${known.join(', ')}` : '';
  return `${formatPath([...path, key])}: unknown argument${hint}`;
}

/** Reports the union branch that matched furthest. */
function* describeUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path, declared: DeclaredArguments): Generator<Problem> {
  const deep = issue.errors.find((branch) => branch.some((inner) => inner.path.length > 0));
  if (deep) yield* problemsOf(deep, path, declared);
  else yield () => `${formatPath(path)}: ${issue.message}`;
}

/** The names that the schema declares at a path. */
function namesAt(path: Path, root: PlainSchema): string[] {
  let schema: PlainSchema = root;
  for (const key of path) schema = childOf(schema, key) ?? {};
  return Object.keys(schema.properties ?? {});
}

function childOf({ items, properties = {} }: PlainSchema, key: PropertyKey): PlainSchema | undefined {
  if (typeof key === 'number') return items;
  return Object.hasOwn(properties, key) ? properties[String(key)] : undefined;
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
