import type * as z from 'zod';

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

/** What is wrong with an argument, to follow its name; replaces zod's wording wherever a schema has none of its own. */
export const issueMessage: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? 'is required'
        : `must be ${TYPES[issue.expected] ?? 'something else'}, not ${issue.expected === 'int' ? 'a fraction' : typeOf(issue.input)}`;
    case 'invalid_value':
      return `${issue.input === undefined ? 'is required:' : 'must be'} ${oneOf(issue.values)}`;
    case 'too_small':
      return `must ${bound('at least', issue.minimum, issue.origin)}`;
    case 'too_big':
      return `must ${bound('at most', issue.maximum, issue.origin)}`;
    case 'invalid_union':
      return Array.isArray(issue.options) ? `must be ${oneOf(issue.options)}` : 'has none of the accepted forms';
    default:
      return 'is not valid';
  }
};

function bound(relation: string, limit: number | bigint, origin: string): string {
  if (origin === 'string') return `have ${relation} ${limit} character${limit === 1 ? '' : 's'}`;
  if (origin === 'array') return `have ${relation} ${limit} item${limit === 1 ? '' : 's'}`;
  return `be ${relation} ${limit}`;
}

function oneOf(values: readonly unknown[]): string {
  return values.length === 1 ? String(values[0]) : `one of ${values.join(', ')}`;
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return String(value);
  return Array.isArray(value) ? 'a list' : `a${typeof value === 'object' ? 'n' : ''} ${typeof value}`;
}
