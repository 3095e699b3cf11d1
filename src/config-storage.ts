import * as z from 'zod';
import type { BlobStoreSettings } from './azure/blob-store.ts';
import { allows, parseConnectionString } from './azure/connection-string.ts';
import type { ConfigProblem } from './config.ts';
import { httpUrl, integer, pathSegments } from './config-fields.ts';
import { checkS3, s3Fields, s3Storage } from './config-s3.ts';
import type { MediaSettings } from './media/media-store.ts';
import type { S3StoreSettings } from './s3/s3-store.ts';

const STORES = ['azure', 's3'] as const;

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
export type StoreSettings = Readonly<({ kind: 'azure' } & BlobStoreSettings) | ({ kind: 's3' } & S3StoreSettings)>;

/** The variables of all stores, and which of them is used. */
export const storageFields = {
  MEDIA_STORE: z
    .string()
    .toLowerCase()
    .pipe(z.enum(STORES, { error: `must be one of ${STORES.join(', ')}` }))
    .default('azure'),
  MEDIA_PATH_PREFIX: pathSegments().optional(),
  ...azureStorageFields,
  ...s3Fields,
};

type StorageVariables = z.output<z.ZodObject<typeof storageFields>>;

/** Storage is optional: chat works without it, and media tools report what is missing. */
export function storageSettings(env: StorageVariables): StorageSettings {
  switch (env.MEDIA_STORE) {
    case 'azure':
      return azureStorage(env);
    case 's3':
      return s3Storage(env, env.MEDIA_PATH_PREFIX);
  }
}

function azureStorage(env: StorageVariables): StorageSettings {
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

/** Variables that do not go together. */
export function checkStorage(env: StorageVariables): ConfigProblem[] {
  return env.MEDIA_STORE === 's3' ? checkS3(env) : checkAzure(env);
}

/** Creating a SAS requires the account key; the operator's own SAS can write and must not be exposed. */
function checkAzure(env: StorageVariables): ConfigProblem[] {
  const withoutKey = env.AZURE_STORAGE_CONNECTION_STRING?.credential.kind === 'sas';
  if (!withoutKey || env.AZURE_BLOB_READ_SAS_HOURS === undefined) return [];
  return [{ variable: 'AZURE_STORAGE_CONNECTION_STRING', problem: 'must contain an AccountKey when AZURE_BLOB_READ_SAS_HOURS is set' }];
}

/** Jobs read what they have written. */
const STATE_PERMISSIONS = 'rcwd';

/** What is probably a mistake. */
export function storageWarnings(env: StorageVariables): ConfigProblem[] {
  const { AZURE_STORAGE_CONNECTION_STRING: account, MEDIA_STORE: kind } = env;
  if (kind !== 's3') return [...unread(env), ...sasWarnings(account)];
  return [];
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

/** For redaction. */
export function storageSecrets(env: StorageVariables): (string | undefined)[] {
  const { AZURE_STORAGE_CONNECTION_STRING: account, S3_SECRET_ACCESS_KEY } = env;
  if (!account) return [S3_SECRET_ACCESS_KEY];
  const { credential } = account;
  return credential.kind === 'key'
    ? [S3_SECRET_ACCESS_KEY, credential.keyBase64]
    : [S3_SECRET_ACCESS_KEY, credential.query, new URLSearchParams(credential.query).get('sig') ?? undefined];
}
