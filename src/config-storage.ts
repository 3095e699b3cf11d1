import * as z from 'zod';
import type { BlobStoreSettings } from './azure/blob-store.ts';
import { allows, parseConnectionString } from './azure/connection-string.ts';
import type { ConfigProblem } from './config.ts';
import { httpUrl, integer, MEDIA_ROOTS, pathSegments } from './config-fields.ts';
import { checkS3, s3Fields, s3Storage, s3Warnings } from './config-s3.ts';
import { isLoopbackName } from './loopback.ts';
import type { MediaSettings } from './media/media-store.ts';
import type { S3StoreSettings } from './s3/s3-store.ts';

const MEDIA_STORES = ['azure', 's3', 'r2', 'file'] as const;
type StoreKind = (typeof MEDIA_STORES)[number];

/** The variables of Azure Blob Storage. */
const azureStorageFields = {
  AZURE_STORAGE_CONNECTION_STRING: z
    .string()
    .transform((text, context) => {
      const parsed = parseConnectionString(text);
      if (parsed.ok) return parsed.account;
      context.addIssue({ code: 'custom', message: parsed.problem });
      return z.NEVER;
    })
    .optional(),
  AZURE_BLOB_CONTAINER: z
    .string()
    .regex(/^(\$web|(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*)$/, 'must be a container name: 3 to 63 lowercase letters, digits and single hyphens')
    .optional(),
  AZURE_BLOB_PUBLIC_BASE_URL: httpUrl().optional(),
  AZURE_BLOB_PATH_PREFIX: pathSegments().optional(),
  AZURE_BLOB_IMAGE_ROOT: pathSegments().default('images'),
  AZURE_BLOB_AUDIO_ROOT: pathSegments().default('audio'),
  AZURE_BLOB_VIDEO_ROOT: pathSegments().default('videos'),
  AZURE_BLOB_UPLOAD_ROOT: pathSegments().default('uploads'),
  AZURE_BLOB_READ_SAS_HOURS: integer(1, 8760).optional(),
};

/** Where media goes: the variables of all kinds of stores. */
export const storageFields = {
  MEDIA_STORE: z
    .string()
    .toLowerCase()
    .pipe(z.enum(MEDIA_STORES, { error: `must be one of ${MEDIA_STORES.join(', ')}` }))
    .optional(),
  MEDIA_PUBLIC_BASE_URL: httpUrl().optional(),
  MEDIA_PATH_PREFIX: pathSegments().optional(),
  MEDIA_DIR: z
    .string()
    .max(1000, 'must be a path of at most 1000 characters')
    .regex(/^(?!~)/, 'must be written out: only a shell replaces ~ by the home folder')
    .default('media-files'),
  ...azureStorageFields,
  ...s3Fields,
};

/** Where media is stored, or the variables that are missing. */
export type StorageSettings =
  | Readonly<{ configured: false; missing: readonly string[] }>
  | Readonly<{
      configured: true;
      store: StoreSettings;
      media: MediaSettings;
      /** Whether what is written can be read, replaced and deleted, as jobs and budgets need it. */
      keepsState: boolean;
      /** The credential, from which the keys for state are derived while there is no STATE_SECRET; `undefined`: it has none. */
      credential: string | undefined;
    }>;

/** Each kind of store with its settings. */
type StoreSettings = Readonly<
  | ({ kind: 'azure' } & BlobStoreSettings)
  | ({ kind: 's3' } & S3StoreSettings)
  | { kind: 'file'; dir: string }
  /** `publicBaseUrl`: the domain of a bucket that anyone may read; by default, the gateway serves media. */
  | { kind: 'r2'; publicBaseUrl: string | undefined }
>;

/** The variables that say where media goes, besides those that say where the gateway itself is. */
export type StorageVariables = z.output<z.ZodObject<typeof storageFields>> &
  Readonly<{ HOST: string; MCP_PUBLIC_URL?: string | undefined; OPENAI_API_KEY?: string | undefined; STATE_SECRET?: string | undefined }>;

/** A store that a runtime has besides those that are reached by HTTP: a folder on Node, a bucket on Workers. */
export type OwnStore = 'file' | 'r2';

/** What is chosen, or else the runtime's own, which must not be a surprise to others. */
function storeKind(env: StorageVariables, own: OwnStore | undefined): StoreKind {
  if (env.MEDIA_STORE) return env.MEDIA_STORE;
  const isAzure = env.AZURE_STORAGE_CONNECTION_STRING || env.AZURE_BLOB_CONTAINER || env.AZURE_BLOB_PUBLIC_BASE_URL;
  if (isAzure || own === undefined || (own === 'file' && !isLoopbackName(env.HOST))) return 'azure';
  return own;
}

/** Storage is optional: chat works without it, and media tools report what is missing. */
export function storageSettings(env: StorageVariables, own: OwnStore | undefined): StorageSettings {
  switch (storeKind(env, own)) {
    case 'azure':
      return azureSettings(env);
    case 's3':
      return s3Storage(env, env.MEDIA_PATH_PREFIX);
    case 'file':
      return folderSettings(env);
    case 'r2':
      return bucketSettings(env);
  }
}

function folderSettings({ MEDIA_DIR: dir }: StorageVariables): StorageSettings {
  const media = { pathPrefix: undefined, roots: MEDIA_ROOTS, readHours: undefined };
  return { configured: true, store: { kind: 'file', dir }, media, keepsState: true, credential: undefined };
}

/** A key as short as this may be guessed. */
const MIN_SECRET_CHARACTERS = 32;

/** A binding has no credential, and the key for OpenAI is as secret as one. */
function bucketSettings(env: StorageVariables): StorageSettings {
  const { MEDIA_PUBLIC_BASE_URL: publicBaseUrl, OPENAI_API_KEY: key = '', STATE_SECRET } = env;
  const credential = key.length >= MIN_SECRET_CHARACTERS ? key : undefined;
  return {
    configured: true,
    store: { kind: 'r2', publicBaseUrl },
    media: { pathPrefix: undefined, roots: MEDIA_ROOTS, readHours: undefined },
    keepsState: (STATE_SECRET ?? credential) !== undefined,
    credential,
  };
}

function azureSettings(env: StorageVariables): StorageSettings {
  const { AZURE_STORAGE_CONNECTION_STRING: account, AZURE_BLOB_CONTAINER: container, AZURE_BLOB_PUBLIC_BASE_URL: publicBaseUrl } = env;
  if (!account || !container || !publicBaseUrl) {
    const needed = { AZURE_STORAGE_CONNECTION_STRING: account, AZURE_BLOB_CONTAINER: container, AZURE_BLOB_PUBLIC_BASE_URL: publicBaseUrl };
    return { configured: false, missing: Object.entries(needed).flatMap(([variable, value]) => (value ? [] : [variable])) };
  }
  return {
    configured: true,
    store: { kind: 'azure', account, container, publicBaseUrl },
    media: {
      pathPrefix: env.AZURE_BLOB_PATH_PREFIX,
      roots: {
        image: env.AZURE_BLOB_IMAGE_ROOT,
        audio: env.AZURE_BLOB_AUDIO_ROOT,
        video: env.AZURE_BLOB_VIDEO_ROOT,
        upload: env.AZURE_BLOB_UPLOAD_ROOT,
      },
      readHours: env.AZURE_BLOB_READ_SAS_HOURS,
    },
    keepsState: allows(account, STATE_PERMISSIONS),
    credential: account.credential.kind === 'key' ? account.credential.keyBase64 : account.credential.query,
  };
}

/** What each kind of store requires. */
export function checkStorage(env: StorageVariables, own: OwnStore | undefined): ConfigProblem[] {
  const kind = storeKind(env, own);
  if (kind === 'azure') return checkAzure(env);
  if (kind === 's3') return checkS3(env);
  if (kind !== own) return [{ variable: 'MEDIA_STORE', problem: REQUIRES[kind] }];
  if (kind === 'r2' || env.MCP_PUBLIC_URL !== undefined || isLoopbackName(env.HOST)) return [];
  const problem = 'is required when MEDIA_STORE is file and HOST is not loopback: the gateway serves the files there';
  return [{ variable: 'MCP_PUBLIC_URL', problem }];
}

const REQUIRES = { file: 'can be file only on Node', r2: 'can be r2 only on Workers, with the binding MEDIA (see wrangler.toml)' };

/** Creating a SAS requires the account key; the operator's own SAS can write and must not be exposed. */
function checkAzure(env: StorageVariables): ConfigProblem[] {
  const withoutKey = env.AZURE_STORAGE_CONNECTION_STRING?.credential.kind === 'sas';
  if (!withoutKey || env.AZURE_BLOB_READ_SAS_HOURS === undefined) return [];
  return [{ variable: 'AZURE_STORAGE_CONNECTION_STRING', problem: 'must contain an AccountKey when AZURE_BLOB_READ_SAS_HOURS is set' }];
}

/** Jobs read what they have written. */
const STATE_PERMISSIONS = 'rcwd';

/** What is probably a mistake. */
export function storageWarnings(env: StorageVariables, own: OwnStore | undefined): ConfigProblem[] {
  switch (storeKind(env, own)) {
    case 'azure':
      return [...unread(env), ...sasWarnings(env.AZURE_STORAGE_CONNECTION_STRING)];
    case 'r2':
      return [...unread(env), ...bucketWarnings(env)];
    case 'file':
      return unread(env);
    case 's3':
      return s3Warnings(env);
  }
}

/** The store is chosen, not guessed. */
function unread(env: StorageVariables): ConfigProblem[] {
  return env.S3_BUCKET === undefined ? [] : [{ variable: 'S3_BUCKET', problem: 'is not read unless MEDIA_STORE is s3' }];
}

function sasWarnings(account: StorageVariables['AZURE_STORAGE_CONNECTION_STRING']): ConfigProblem[] {
  if (!account || allows(account, STATE_PERMISSIONS)) return [];
  const problem = `has a SAS without all of the permissions ${STATE_PERMISSIONS}, so paid calls are not remembered: a retry is billed again`;
  return [{ variable: 'AZURE_STORAGE_CONNECTION_STRING', problem }];
}

function bucketWarnings(env: StorageVariables): ConfigProblem[] {
  const settings = bucketSettings(env);
  if (!settings.configured || settings.keepsState) return [];
  return [{ variable: 'STATE_SECRET', problem: 'is not set, so paid calls are not remembered: a retry is billed again' }];
}

/** For redaction. */
export function storageSecrets(env: StorageVariables): (string | undefined)[] {
  const { AZURE_STORAGE_CONNECTION_STRING: account, S3_SECRET_ACCESS_KEY, S3_SESSION_TOKEN } = env;
  const s3 = [S3_SECRET_ACCESS_KEY, S3_SESSION_TOKEN];
  if (!account) return s3;
  const { credential } = account;
  return credential.kind === 'key'
    ? [...s3, credential.keyBase64]
    : [...s3, credential.query, new URLSearchParams(credential.query).get('sig') ?? undefined];
}
