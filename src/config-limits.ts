import * as z from 'zod';
import { limitFields, limitsSchema, TOOLS_RULE } from './auth/limits.ts';
import { repeatedNames } from './json-names.ts';
import { nearestName } from './nearest-name.ts';
import { tools } from './tools/index.ts';

const toolNames = tools.map(({ name }) => name);
const toolName = z.enum(toolNames, {
  error: ({ input }) => {
    const meant = typeof input === 'string' ? nearestName(input, toolNames) : undefined;
    return `is not a tool; ${meant ? `did you mean ${meant}?` : `the tools are ${toolNames.join(', ')}`}`;
  },
});

/** The limits that the operator states, who is told of tools that do not exist. */
export const knownLimits = { ...limitFields, tools: z.array(toolName, TOOLS_RULE).min(1, 'must name at least one tool').optional() };

/** Reads `MCP_PRINCIPAL_DEFAULTS`. */
export const principalDefaults = () =>
  z.string().transform((text, context) => {
    const { value, problems } = parseObject(text, (name) => `states ${name} more than once`);
    const parsed = z.strictObject(knownLimits).safeParse(value);
    const invalid = parsed.success ? [] : parsed.error.issues.flatMap((issue) => describeIssue(issue, Object.keys(knownLimits)));
    for (const message of [...problems, ...invalid]) context.addIssue({ code: 'custom', message });
    return parsed.success ? limitsSchema.parse(parsed.data) : z.NEVER;
  });

/** Parses a JSON object. `describeRepeated`: of a name that its object has twice, and of the outermost name around it. */
export function parseObject(
  text: string,
  describeRepeated: (name: string, top: string | undefined) => string,
): { value: object; problems: string[] } {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      const problems = repeatedNames(text).map(({ name, top, depth }) => describeRepeated(name, depth > 1 ? top : undefined));
      return { value, problems };
    }
  } catch {
    // The error of the parser quotes the text.
  }
  return { value: {}, problems: ['must be a JSON object'] };
}

/** What is wrong with a field, in words that complete the name of the variable. */
export function describeIssue(issue: z.core.$ZodIssue, fields: readonly string[]): string[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map((name) => unknownField(name, fields));
  const path = issue.path.map((step) => (typeof step === 'number' ? `[${step}]` : String(step))).join('');
  return [path === '' ? issue.message : `${path} ${issue.message}`];
}

/** Shows names as people write them, and nothing that may be a key. */
function unknownField(name: string, fields: readonly string[]): string {
  const meant = nearestName(name, fields);
  const shown = /^[A-Za-z_]{1,40}$/.test(name) ? name : 'a field';
  return `${shown} is not known; ${meant ? `did you mean ${meant}?` : `the fields are ${fields.join(', ')}`}`;
}
