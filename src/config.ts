import * as z from 'zod';
import { checkFallbacks, fallbackFields, fallbackKeys, fallbackSettings } from './config-fallbacks.ts';
import {
  apiBaseUrl,
  azureApiVersion,
  azureResource,
  flag,
  hostList,
  httpUrl,
  integer,
  name,
  operatorKey,
  originList,
  stateSecret,
  token,
  usd,
} from './config-fields.ts';
import { type ClientSettings, expiring, readKeys, type StatedKey, toClients } from './config-keys.ts';
import { principalDefaults } from './config-limits.ts';
import { checkOAuth, oauthFields, oauthSettings } from './config-oauth.ts';
import {
  checkStorage,
  type OwnStore,
  type StorageSettings,
  storageFields,
  storageSecrets,
  storageSettings,
  storageWarnings,
} from './config-storage.ts';
import { findWarnings, weakKeys } from './config-warnings.ts';
import { isLoopbackName } from './loopback.ts';
import { CAPABILITIES, type Capability, type OpenAISettings } from './openai/upstreams.ts';
import { type ModelPrices, modelPrices } from './usage/prices.ts';

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
const DEFAULT_HOST = '0.0.0.0';
type LogLevel = (typeof LOG_LEVELS)[number];

/** All settings from the environment, parsed once. */
export type Config = Readonly<{
  clients: ClientSettings;
  server: Readonly<{
    host: string;
    port: number;
    /** `undefined`: loopback origins. */
    allowedOrigins: readonly string[] | undefined;
    /** `undefined`: loopback names when listening on loopback, otherwise all. */
    allowedHosts: readonly string[] | undefined;
    logLevel: LogLevel;
    /** The bearer token with which the operator sees what all principals have used. */
    adminKey: string | undefined;
    /** The bearer token of `/metrics`, which does not exist without. */
    metricsKey: string | undefined;
    /** Whether there is a port; without one, a client talks to the process that it has started. */
    isServed: boolean;
    /** The base URL under which clients reach the gateway; `undefined`: that of each request. */
    publicUrl: string | undefined;
    resourceLinks: boolean;
    /** Whether results show their pictures unless the call says otherwise. */
    inlinePreview: boolean;
  }>;
  /** `undefined`: there is no sign-in. */
  oauth: ReturnType<typeof oauthSettings>;
  openai: OpenAISettings;
  /** What the operator says of prices, besides the table. */
  prices: ModelPrices;
  /** What all principals together may spend on a day in UTC; `undefined`: anything. */
  budgetUsdPerDay: number | undefined;
  storage: StorageSettings;
  jobs: JobSettings;
  /** Hosts, besides stored media, from which caller-supplied image URLs may be read. */
  inputHosts: readonly string[];
  /** Hosts, besides the upstream's own, from which upstream image URLs may be read even at private addresses. */
  downloadHosts: readonly string[];
  /** All secret values, for redaction. */
  secrets: readonly string[];
}>;

/** How paid calls run as jobs. */
type JobSettings = Readonly<{
  /** How long a call waits for its result unless it says so itself. */
  defaultWaitSeconds: number;
  /** How long results are kept; 0: not beyond their delivery. */
  retentionHours: number;
  /** How many may run at once; `undefined`: as many as suit the runtime. */
  maxJobs: number | undefined;
  /** Whether the list of what was made has the prompts. */
  storePrompts: boolean;
  /** From which the keys for stored state are derived: the current one, then those that still read. */
  secrets: readonly string[];
}>;

/** One problem in the environment: the variable and what is expected. Never the value. */
export type ConfigProblem = Readonly<{ variable: string; problem: string }>;

/** `warnings`: what is probably a mistake, whether or not there are problems. */
export type ConfigResult = Readonly<
  ({ ok: true; config: Config } | { ok: false; problems: readonly ConfigProblem[] }) & { warnings: readonly ConfigProblem[] }
>;

type ConfigOptions = Readonly<{
  /** Whether a weak client key is a problem, rather than a warning, when `HOST` is not loopback. */
  rejectWeakKey?: boolean;
  /** The store that the runtime has itself. */
  ownStore?: OwnStore | undefined;
  /** When the process starts. */
  nowMs?: number;
}>;

/** Every variable the gateway reads. Tests check the documentation and `.dev.vars.example` against these names. */
export const environmentSchema = z.object({
  MCP_SERVER_API_KEY: token('the bearer token of the clients').max(4000, 'must be at most 4000 characters').optional(),
  MCP_SERVER_API_KEYS: z.string().optional(),
  MCP_PRINCIPAL_DEFAULTS: principalDefaults().optional(),
  MCP_ALLOW_WEAK_KEY: flag().optional(),
  ...oauthFields,
  HOST: z.string().default(DEFAULT_HOST),
  PORT: integer(0, 65_535).default(8000),
  MCP_ALLOWED_ORIGINS: originList().optional(),
  MCP_ALLOWED_HOSTS: hostList().optional(),
  MCP_ALLOWED_INPUT_HOSTS: hostList().optional(),
  MCP_ALLOWED_DOWNLOAD_HOSTS: hostList().optional(),
  MCP_PUBLIC_URL: httpUrl().optional(),
  MCP_BUDGET_USD_PER_DAY: usd().optional(),
  MCP_RESOURCE_LINKS: flag().optional(),
  MCP_STORE_PROMPTS: flag().optional(),
  MCP_INLINE_PREVIEW: flag().optional(),
  LOG_LEVEL: z
    .string()
    .toLowerCase()
    .pipe(z.enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` }))
    .default('info'),
  MCP_ADMIN_KEY: operatorKey('/usage'),
  METRICS_KEY: operatorKey('/metrics'),
  OPENAI_API_KEY: token('an API key').optional(),
  OPENAI_BASE_URL: apiBaseUrl().default('https://api.openai.com/v1'),
  OPENAI_ORG_ID: name().optional(),
  OPENAI_PROJECT_ID: name().optional(),
  OPENAI_CHAT_MODEL: name().default('gpt-6-luna'),
  OPENAI_IMAGE_MODEL: name().default('gpt-image-2'),
  OPENAI_AUDIO_MODEL: name().default('gpt-4o-mini-tts'),
  OPENAI_VIDEO_MODEL: name().default('sora-2'),
  OPENAI_TRANSCRIPTION_MODEL: name().default('gpt-transcribe'),
  OPENAI_CHAT_BASE_URL: apiBaseUrl().optional(),
  OPENAI_CHAT_API_KEY: token('an API key').optional(),
  OPENAI_IMAGE_BASE_URL: apiBaseUrl().optional(),
  OPENAI_IMAGE_API_KEY: token('an API key').optional(),
  OPENAI_AUDIO_BASE_URL: apiBaseUrl().optional(),
  OPENAI_AUDIO_API_KEY: token('an API key').optional(),
  OPENAI_VIDEO_BASE_URL: apiBaseUrl().optional(),
  OPENAI_VIDEO_API_KEY: token('an API key').optional(),
  OPENAI_TRANSCRIPTION_BASE_URL: apiBaseUrl().optional(),
  OPENAI_TRANSCRIPTION_API_KEY: token('an API key').optional(),
  ...fallbackFields,

  AZURE_OPENAI_ENDPOINT: azureResource().optional(),
  AZURE_OPENAI_API_KEY: token('an API key').optional(),
  AZURE_OPENAI_API_VERSION: azureApiVersion().default('2025-04-01-preview'),
  AZURE_OPENAI_CHAT_DEPLOYMENT: name().optional(),
  AZURE_OPENAI_IMAGE_DEPLOYMENT: name().optional(),
  AZURE_OPENAI_AUDIO_DEPLOYMENT: name().optional(),
  AZURE_OPENAI_TRANSCRIPTION_DEPLOYMENT: name().optional(),

  ...storageFields,

  MCP_DEFAULT_WAIT_SECONDS: integer(0, 600).default(45),
  MCP_JOB_RETENTION_HOURS: integer(0, 720).default(24),
  MCP_MAX_JOBS: integer(1, 10_000).optional(),
  STATE_SECRET: stateSecret().optional(),
  STATE_SECRET_PREVIOUS: stateSecret().optional(),

  MODEL_PRICES: modelPrices().optional(),
});

type Environment = z.output<typeof environmentSchema>;

/**
 * Parses the environment of either runtime. Empty and blank values count as unset, and one pair of quotes around a value
 * is stripped, because `docker run --env-file` keeps what a `.env` parser would remove. Unknown names are ignored, except
 * for a warning if they resemble a known one.
 */
export function loadConfig(
  env: Readonly<Record<string, unknown>>,
  { rejectWeakKey = false, ownStore, nowMs = Date.now() }: ConfigOptions = {},
): ConfigResult {
  const known = Object.keys(environmentSchema.shape);
  const values = readValues(env, known);
  const parsed = environmentSchema.safeParse(values);
  const unreadable = known.filter((variable) => textOf(variable, env[variable]) === undefined);
  const problems = unreadable.map((variable): ConfigProblem => ({ variable, problem: 'must be text' }));
  problems.push(...checkCredentials(values), ...(parsed.success ? [] : parsed.error.issues.map(toProblem)));
  problems.push(...checkCombinations(values));
  if (parsed.success) problems.push(...checkStorage(parsed.data, ownStore));
  const { MCP_SERVER_API_KEY: single, MCP_SERVER_API_KEYS: several } = values;
  const stated = several === undefined ? { keys: [], problems: [] } : readKeys(several, single);
  const ofKeys = (problem: string) => ({ variable: 'MCP_SERVER_API_KEYS', problem });
  problems.push(...stated.problems.map(ofKeys));
  if (parsed.success) problems.push(...checkOperatorKeys(parsed.data, stated.keys));
  const rejectsWeak = rejectWeakKey && !isLoopbackName(values.HOST ?? DEFAULT_HOST) && !/^(1|true)$/i.test(values.MCP_ALLOW_WEAK_KEY ?? '');
  const weak = weakKeys(single, stated.keys, rejectsWeak);
  if (rejectsWeak) problems.push(...weak);
  const stateless = parsed.success ? storageWarnings(parsed.data, ownStore) : [];
  const expired = expiring(stated.keys, nowMs).map(ofKeys);
  const warnings = [...(rejectsWeak ? [] : weak), ...expired, ...findWarnings(env, known, values), ...stateless];
  if (parsed.success && problems.length === 0) return { ok: true, config: toConfig(parsed.data, stated.keys, ownStore), warnings };
  return { ok: false, problems, warnings };
}

function readValues(env: Readonly<Record<string, unknown>>, known: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (const variable of known) {
    const text = textOf(variable, env[variable])
      ?.trim()
      .replace(/^(["'])(.*)\1$/s, '$2')
      .trim();
    if (text) values[variable] = text;
  }
  return values;
}

const JSON_VARIABLES = ['MCP_SERVER_API_KEYS', 'MCP_PRINCIPAL_DEFAULTS', 'MODEL_PRICES'];

/**
 * In `[vars]` of a Worker, a variable can be a number, a boolean, a list or an object, and a limit that it states must not be
 * lost. `undefined`: it is something else, such as the binding of a secrets store.
 */
function textOf(variable: string, bound: unknown): string | undefined {
  if (Array.isArray(bound)) return bound.join(',');
  if (typeof bound === 'object' && bound !== null) return JSON_VARIABLES.includes(variable) ? JSON.stringify(bound) : undefined;
  return typeof bound === 'function' ? undefined : String(bound ?? '');
}

function toProblem(issue: z.core.$ZodIssue): ConfigProblem {
  const variable = String(issue.path[0]);
  return { variable, problem: issue.message };
}

/** Any of these admits clients. */
const CREDENTIALS = ['MCP_SERVER_API_KEY', 'MCP_SERVER_API_KEYS', 'MCP_OAUTH_ISSUER'] as const;

function checkCredentials(values: Readonly<Record<string, string>>): ConfigProblem[] {
  const admitsAnyone = CREDENTIALS.some((variable) => values[variable] !== undefined);
  return admitsAnyone ? [] : [{ variable: CREDENTIALS[0], problem: 'is required' }];
}

/** Variables that require another. A key is never sent to a server it was not issued for, so a key without its server is an error. */
function checkCombinations(values: Readonly<Record<string, string>>): ConfigProblem[] {
  const pairs = [
    ['AZURE_OPENAI_ENDPOINT', 'AZURE_OPENAI_API_KEY'],
    ...CAPABILITIES.map(
      (capability) => [`OPENAI_${capability.toUpperCase()}_API_KEY`, `OPENAI_${capability.toUpperCase()}_BASE_URL`] as const,
    ),
  ] as const;
  return [
    ...checkOAuth(values),
    ...checkFallbacks(values),
    ...pairs
      .filter(([set, needed]) => values[set] !== undefined && values[needed] === undefined)
      .map(([set, needed]) => ({ variable: needed, problem: `is required when ${set} is set` })),
  ];
}

/** What opens one door opens no other. */
function checkOperatorKeys(env: Environment, clientKeys: readonly StatedKey[]): ConfigProblem[] {
  const { METRICS_KEY, MCP_ADMIN_KEY, MCP_SERVER_API_KEY } = env;
  const isClients = (key: string) => key === MCP_SERVER_API_KEY || clientKeys.some((client) => client.key === key);
  const problems = Object.entries({ METRICS_KEY, MCP_ADMIN_KEY })
    .filter(([, key]) => key !== undefined && isClients(key))
    .map(([variable]) => ({ variable, problem: 'must differ from the keys of clients' }));
  const isShared = METRICS_KEY !== undefined && METRICS_KEY === MCP_ADMIN_KEY;
  return isShared ? [...problems, { variable: 'METRICS_KEY', problem: 'must differ from MCP_ADMIN_KEY' }] : problems;
}

function toConfig(env: Environment, keys: readonly StatedKey[], ownStore: OwnStore | undefined): Config {
  const storage = storageSettings(env, ownStore);
  return {
    clients: toClients(keys, env.MCP_SERVER_API_KEY, env.MCP_PRINCIPAL_DEFAULTS),
    server: {
      host: env.HOST,
      port: env.PORT,
      allowedOrigins: env.MCP_ALLOWED_ORIGINS,
      allowedHosts: env.MCP_ALLOWED_HOSTS,
      logLevel: env.LOG_LEVEL,
      adminKey: env.MCP_ADMIN_KEY,
      metricsKey: env.METRICS_KEY,
      isServed: true,
      publicUrl: env.MCP_PUBLIC_URL,
      resourceLinks: env.MCP_RESOURCE_LINKS ?? false,
      inlinePreview: env.MCP_INLINE_PREVIEW ?? false,
    },
    oauth: oauthSettings(env),
    openai: {
      apiKey: env.OPENAI_API_KEY,
      baseUrl: env.OPENAI_BASE_URL,
      organization: env.OPENAI_ORG_ID,
      project: env.OPENAI_PROJECT_ID,
      models: {
        chat: env.OPENAI_CHAT_MODEL,
        image: env.OPENAI_IMAGE_MODEL,
        audio: env.OPENAI_AUDIO_MODEL,
        video: env.OPENAI_VIDEO_MODEL,
        transcription: env.OPENAI_TRANSCRIPTION_MODEL,
      },
      overrides: overrides(env),
      fallbacks: fallbackSettings(env),
      azure: azureOpenAI(env),
    },
    prices: env.MODEL_PRICES ?? {},
    budgetUsdPerDay: env.MCP_BUDGET_USD_PER_DAY,
    storage,
    jobs: {
      defaultWaitSeconds: env.MCP_DEFAULT_WAIT_SECONDS,
      retentionHours: env.MCP_JOB_RETENTION_HOURS,
      maxJobs: env.MCP_MAX_JOBS,
      storePrompts: env.MCP_STORE_PROMPTS ?? false,
      secrets: stateSecrets(env, storage),
    },
    inputHosts: env.MCP_ALLOWED_INPUT_HOSTS ?? [],
    downloadHosts: env.MCP_ALLOWED_DOWNLOAD_HOSTS ?? [],
    secrets: secrets(env, keys),
  };
}

function secrets(env: Environment, clientKeys: readonly StatedKey[]): string[] {
  const keys = CAPABILITIES.map((capability) => env[`OPENAI_${capability.toUpperCase() as Uppercase<Capability>}_API_KEY`]);
  const own = [
    env.MCP_SERVER_API_KEY,
    ...clientKeys.map(({ key }) => key),
    env.METRICS_KEY,
    env.MCP_ADMIN_KEY,
    env.STATE_SECRET,
    env.STATE_SECRET_PREVIOUS,
  ];
  const all = [...own, env.OPENAI_API_KEY, env.AZURE_OPENAI_API_KEY, ...keys, ...fallbackKeys(env), ...storageSecrets(env)];
  return all.filter((secret) => secret !== undefined);
}

/** The credential of the storage serves until there is a secret, and still reads what it has written. */
function stateSecrets({ STATE_SECRET, STATE_SECRET_PREVIOUS }: Environment, storage: StorageSettings): string[] {
  const credential = storage.configured ? storage.credential : undefined;
  return [STATE_SECRET, STATE_SECRET_PREVIOUS ?? credential].filter((secret) => secret !== undefined);
}

function overrides(env: Environment): OpenAISettings['overrides'] {
  const found: Partial<Record<Capability, { baseUrl: string; apiKey: string | undefined }>> = {};
  for (const capability of CAPABILITIES) {
    const upper = capability.toUpperCase() as Uppercase<Capability>;
    const baseUrl = env[`OPENAI_${upper}_BASE_URL`];
    if (baseUrl) found[capability] = { baseUrl, apiKey: env[`OPENAI_${upper}_API_KEY`] };
  }
  return found;
}

function azureOpenAI(env: Environment): OpenAISettings['azure'] {
  if (!env.AZURE_OPENAI_ENDPOINT || !env.AZURE_OPENAI_API_KEY) return undefined;
  return {
    endpoint: env.AZURE_OPENAI_ENDPOINT,
    apiKey: env.AZURE_OPENAI_API_KEY,
    apiVersion: env.AZURE_OPENAI_API_VERSION,
    deployments: {
      chat: env.AZURE_OPENAI_CHAT_DEPLOYMENT,
      image: env.AZURE_OPENAI_IMAGE_DEPLOYMENT,
      audio: env.AZURE_OPENAI_AUDIO_DEPLOYMENT,
      transcription: env.AZURE_OPENAI_TRANSCRIPTION_DEPLOYMENT,
    },
  };
}
