import * as z from 'zod';
import type { ClientKey } from './auth/keys.ts';
import { limitFields, limitsSchema, mergeLimits } from './auth/limits.ts';
import type { Limits } from './auth/principal.ts';
import { describeIssue, knownLimits, parseObject } from './config-limits.ts';
import { DAY_MS } from './utc-day.ts';

/** Who may call: the keys with their principals, and the limits of a principal that does not have its own. */
export type ClientSettings = Readonly<{ keys: readonly ClientKey[]; defaults: Limits }>;

/** A key of `MCP_SERVER_API_KEYS`, with the limits that are stated beside it; `label`: what messages call it. */
export type StatedKey = z.output<typeof keySchema> & Readonly<{ name: string; label: string }>;

/** The principal of `MCP_SERVER_API_KEY`. */
const DEFAULT_NAME = 'default';
/** So many letters and digits in a row are a key in the wrong place, and a name is logged. */
const KEY_LIKE = /[A-Za-z0-9]{24}/;
const isName = (name: string) => /^[A-Za-z0-9._@-]{1,64}$/.test(name) && !KEY_LIKE.test(name);
const SOON_DAYS = 14;

const KEY_RULE = 'must be 1 to 4000 visible ASCII characters without spaces';
const SHA256_RULE = 'must be the SHA-256 digest of a key: 64 hexadecimal digits';
const EXPIRES_RULE = 'must be a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z';
const SHAPE_RULE = 'must be a key, an object with a key, or an array of these';

/** The end of that day in UTC, or the time itself. */
const expiry = z.union(
  [z.iso.date().transform((date) => Date.parse(date) + DAY_MS), z.iso.datetime({ offset: true }).transform((time) => Date.parse(time))],
  EXPIRES_RULE,
);

const keySchema = z
  .strictObject(
    {
      key: z
        .string(KEY_RULE)
        .regex(/^[\x21-\x7e]{1,4000}$/, KEY_RULE)
        .optional(),
      sha256: z
        .string(SHA256_RULE)
        .regex(/^[0-9a-f]{64}$/i, SHA256_RULE)
        .toLowerCase()
        .optional(),
      expires: expiry.optional(),
      ...knownLimits,
    },
    { error: ({ code }) => (code === 'invalid_type' ? SHAPE_RULE : undefined) },
  )
  .refine(({ key, sha256 }) => (key === undefined) !== (sha256 === undefined), {
    error: 'must have either key or sha256',
    // Whatever else is wrong.
    when: ({ value }) => typeof value === 'object' && value !== null && !Array.isArray(value),
  });

/** Reads `MCP_SERVER_API_KEYS`: all keys that are valid, and every problem of the others and between them. */
export function readKeys(text: string, single: string | undefined): { keys: StatedKey[]; problems: string[] } {
  const { entries, problems } = text.startsWith('{') ? entriesOfJson(text) : entriesOfList(text);
  const keys: StatedKey[] = [];
  for (const { name, label, value } of entries) {
    const parsed = keySchema.safeParse(typeof value === 'string' ? { key: value } : value);
    if (parsed.success) keys.push({ ...parsed.data, name, label });
    else {
      const described = parsed.error.issues.flatMap((issue) => describeIssue(issue, Object.keys(keySchema.shape)));
      problems.push(...described.map((problem) => `for ${label}: ${problem}`));
    }
  }
  if (entries.length === 0 && problems.length === 0) problems.push('has no keys');
  return { keys, problems: [...problems, ...sharedKeys(keys, single), ...differingLimits(keys)] };
}

type Entry = Readonly<{ name: string; label: string; value: unknown }>;
type Entries = { entries: Entry[]; problems: string[] };

function entriesOfJson(text: string): Entries {
  const { value, problems } = parseObject(text, (name, top) =>
    top === undefined
      ? `has ${safeName(name)} more than once; put its keys into an array`
      : `for ${safeName(top)}: a field is stated more than once`,
  );
  const entries = Object.entries(value).flatMap(([name, stated], at) => {
    if (!isName(name)) problems.push(badName(at));
    const all: unknown[] = Array.isArray(stated) ? stated : [stated];
    const who = isName(name) ? name : `entry ${at + 1}`;
    if (all.length === 0) problems.push(`for ${who}: there are no keys`);
    return all.map((one, number) => ({ name: who, label: all.length > 1 ? `${who}, key ${number + 1}` : who, value: one }));
  });
  return { entries, problems };
}

function entriesOfList(text: string): Entries {
  const problems: string[] = [];
  const items = text.split(',').map((item) => item.trim());
  const entries = items.flatMap((item, at) => {
    const [, name, value] = /^([^:]*):(.*)$/.exec(item) ?? [];
    if (item === '') return [];
    if (name === undefined || !isName(name)) {
      problems.push(name === undefined ? `has an entry ${at + 1} that is not name:key` : badName(at));
      return [];
    }
    return [{ name, label: name, value }];
  });
  return { entries, problems };
}

function badName(at: number): string {
  return `has an entry ${at + 1} whose name is not 1 to 64 letters, digits and the characters . _ @ -, or looks like a key`;
}

/** A name that may be shown. */
function safeName(name: string): string {
  return isName(name) ? name : 'a name';
}

/** A key tells who its holder is. */
function sharedKeys(keys: readonly StatedKey[], single: string | undefined): string[] {
  const owners = new Map<string | undefined, string>(single === undefined ? [] : [[single, DEFAULT_NAME]]);
  return keys.flatMap(({ name, key, sha256 }) => {
    const secret = key ?? sha256;
    const owner = owners.get(secret) ?? name;
    owners.set(secret, owner);
    return owner === name ? [] : [`gives ${owner} and ${name} the same key`];
  });
}

/** Limits are those of a name: stated with one of its keys, or equally with several. */
function differingLimits(keys: readonly StatedKey[]): string[] {
  const problems: string[] = [];
  for (const [name, own] of Map.groupBy(keys, (key) => key.name)) {
    for (const field of Object.keys(limitFields) as (keyof typeof limitFields)[]) {
      const stated = own.map((key) => JSON.stringify(key[field])).filter((value) => value !== undefined);
      if (new Set(stated).size > 1) problems.push(`for ${name}: ${field} differs between its keys`);
    }
  }
  return problems;
}

/** The principals of all keys, with their limits. */
export function toClients(stated: readonly StatedKey[], single: string | undefined, defaults: Limits = {}): ClientSettings {
  const all = single === undefined ? stated : [{ name: DEFAULT_NAME, key: single }, ...stated];
  const keys = [...Map.groupBy(all, ({ name }) => name)].flatMap(([name, own]) => {
    const limits = mergeLimits(defaults, own.map(limitsOf).reduce(mergeLimits));
    const principal = { id: name, name, limits };
    return own.map(({ key, sha256 = '', expires }: Partial<StatedKey>) => ({
      principal,
      secret: key === undefined ? { sha256 } : { key },
      expiresMs: expires,
    }));
  });
  return { keys, defaults };
}

function limitsOf({ tools, budget_usd_per_day, calls_per_minute, concurrent_calls }: Partial<StatedKey>): Limits {
  return limitsSchema.parse({ tools, budget_usd_per_day, calls_per_minute, concurrent_calls });
}

/** Keys whose clients are about to fail, or do. */
export function expiring(keys: readonly StatedKey[], nowMs: number): string[] {
  return keys.flatMap(({ label, expires = Number.POSITIVE_INFINITY }) => {
    if (expires <= nowMs) return [`for ${label}: the key has expired`];
    return expires <= nowMs + SOON_DAYS * DAY_MS ? [`for ${label}: the key expires within ${SOON_DAYS} days`] : [];
  });
}
