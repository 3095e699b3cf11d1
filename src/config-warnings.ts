import type { ConfigProblem } from './config.ts';
import type { StatedKey } from './config-keys.ts';
import { nearestName } from './nearest-name.ts';

/** The length of 18 random bytes in base64. */
const MIN_KEY_CHARACTERS = 24;
const GENERATE = 'generate one with `openssl rand -hex 32`';

const PREFIXES = ['OPENAI_', 'AZURE_', 'MCP_', 'S3_', 'MEDIA_'];
/** Longer names are not compared: no variable has one. */
const MAX_NAME_CHARACTERS = 60;
/** Names that other programs read, too different from ours to be found by their spelling. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  MCP_API_KEY: 'MCP_SERVER_API_KEY',
  OPENAI_API_BASE: 'OPENAI_BASE_URL',
  OPENAI_API_VERSION: 'AZURE_OPENAI_API_VERSION',
  OPENAI_MODEL: 'OPENAI_CHAT_MODEL',
  OPENAI_ORGANIZATION: 'OPENAI_ORG_ID',
  AZURE_OPENAI_BASE_URL: 'AZURE_OPENAI_ENDPOINT',
  AZURE_OPENAI_DEPLOYMENT: 'AZURE_OPENAI_CHAT_DEPLOYMENT',
};

/** What is probably a mistake, but does not prevent a start. Never quotes a value. */
export function findWarnings(
  env: Readonly<Record<string, unknown>>,
  known: readonly string[],
  values: Readonly<Record<string, string>>,
): ConfigProblem[] {
  return [
    ...Object.entries(values).flatMap(([variable, value]) => baseUrlWarning(variable, value)),
    ...Object.keys(env).flatMap((name) => misspelling(name, env, known, values)),
  ];
}

/** Keys that can be guessed, and what to do about them; `isRejected`: about what prevents a start. */
export function weakKeys(single: string | undefined, keys: readonly StatedKey[], isRejected: boolean): ConfigProblem[] {
  const advice = isRejected ? `, and HOST is not loopback; ${GENERATE}, or set MCP_ALLOW_WEAK_KEY=1` : `; ${GENERATE}`;
  const warn = (variable: string, key: string | undefined, subject = '') => {
    const weakness = weaknessOf(key);
    return weakness ? [{ variable, problem: `${subject}${weakness}${advice}` }] : [];
  };
  return [
    ...warn('MCP_SERVER_API_KEY', single),
    ...keys.flatMap(({ key, label }) => warn('MCP_SERVER_API_KEYS', key, `for ${label}: the key `)),
  ];
}

function weaknessOf(key: string | undefined): string | undefined {
  if (key === undefined) return undefined;
  if (/MCP_SERVER_API_KEY|change-?_?me|^your[-_]|placeholder|^<.*>$/i.test(key)) return 'is still a placeholder';
  return key.length < MIN_KEY_CHARACTERS ? `is shorter than ${MIN_KEY_CHARACTERS} characters` : undefined;
}

/** OpenAI's own host is corrected (`apiBaseUrl`); another server may really have no path. */
function baseUrlWarning(variable: string, value: string): ConfigProblem[] {
  if (!/^OPENAI_(\w+_)?BASE_URL$/.test(variable) || !/^https?:\/\/[^/]+\/*(chat\/completions\/*)?$/i.test(value)) return [];
  if (/^https:\/\/([a-z0-9-]+\.)?api\.openai\.com\//i.test(`${value}/`)) return [];
  return [{ variable, problem: 'has no path; the base URL of an OpenAI-compatible server usually ends in /v1' }];
}

/** A variable that nothing reads, but whose name is close to one of ours that is not set. */
function misspelling(
  name: string,
  env: Readonly<Record<string, unknown>>,
  known: readonly string[],
  values: Readonly<Record<string, string>>,
): ConfigProblem[] {
  const upper = name.toUpperCase();
  const isOurs = PREFIXES.some((prefix) => upper.startsWith(prefix)) && name.length <= MAX_NAME_CHARACTERS;
  const isBinding = typeof env[name] === 'object' || typeof env[name] === 'function';
  if (!isOurs || known.includes(name) || isBinding || String(env[name] ?? '').trim() === '') return [];
  const meant = OTHER_NAMES[upper] ?? nearestName(upper, known);
  if (meant === undefined || values[meant] !== undefined) return [];
  return [{ variable: name, problem: `is not read; did you mean ${meant}?` }];
}
