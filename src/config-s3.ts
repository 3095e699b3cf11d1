import * as z from 'zod';
import type { ConfigProblem } from './config.ts';
import { httpUrl, integer, MEDIA_ROOTS, name, token } from './config-fields.ts';
import type { StorageSettings } from './config-storage.ts';

/** The variables of a store behind the S3 API. */
export const s3Fields = {
  S3_ENDPOINT: httpUrl().optional(),
  S3_REGION: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/, 'must be a region such as eu-central-1, or auto')
    .optional(),
  S3_BUCKET: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be a bucket name: 3 to 63 lowercase letters, digits, dots and hyphens')
    .optional(),
  S3_ACCESS_KEY_ID: name().optional(),
  S3_SECRET_ACCESS_KEY: token('a secret access key').optional(),
  S3_SESSION_TOKEN: token('a session token').optional(),
  S3_PUBLIC_BASE_URL: httpUrl().optional(),
  S3_READ_HOURS: integer(1, 168).optional(),
};

type S3Variables = z.output<z.ZodObject<typeof s3Fields>>;

/** The longest that S3 takes. */
const DEFAULT_READ_HOURS = 168;

/** The settings of that store, or the variables that are missing. */
export function s3Storage(env: S3Variables, pathPrefix: string | undefined): StorageSettings {
  const { S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, S3_PUBLIC_BASE_URL: publicBaseUrl } = env;
  if (!S3_ENDPOINT || !S3_BUCKET || !S3_ACCESS_KEY_ID || !S3_SECRET_ACCESS_KEY) {
    const needed = { S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY };
    return { configured: false, missing: Object.entries(needed).flatMap(([variable, value]) => (value ? [] : [variable])) };
  }
  return {
    configured: true,
    store: {
      kind: 's3',
      endpoint: withoutBucket(S3_ENDPOINT, S3_BUCKET),
      region: env.S3_REGION,
      bucket: S3_BUCKET,
      accessKeyId: S3_ACCESS_KEY_ID,
      secretAccessKey: S3_SECRET_ACCESS_KEY,
      sessionToken: env.S3_SESSION_TOKEN,
      publicBaseUrl,
    },
    media: { pathPrefix, roots: MEDIA_ROOTS, readHours: publicBaseUrl ? undefined : (env.S3_READ_HOURS ?? DEFAULT_READ_HOURS) },
    keepsState: true,
    credential: S3_SECRET_ACCESS_KEY,
  };
}

/** R2's dashboard shows the URL of the API with the bucket at its end, AWS with the bucket in the name of the host. */
function withoutBucket(url: string, bucket: string): string {
  const isInHost = url.startsWith(`https://${bucket}.s3.`) && url.endsWith('.amazonaws.com');
  const endpoint = isInHost ? url.replace(`${bucket}.`, '') : url;
  return endpoint.endsWith(`/${bucket}`) ? endpoint.slice(0, -bucket.length - 1) : endpoint;
}

/** A signature is for the host of the endpoint. */
export function checkS3({ S3_PUBLIC_BASE_URL, S3_READ_HOURS }: S3Variables): ConfigProblem[] {
  if (S3_PUBLIC_BASE_URL === undefined || S3_READ_HOURS === undefined) return [];
  return [{ variable: 'S3_READ_HOURS', problem: 'must not be set when S3_PUBLIC_BASE_URL is: links under it are not signed' }];
}

/** The secret of temporary credentials is another one each time, so what is derived from it cannot be read for long. */
export function s3Warnings({ S3_SESSION_TOKEN, STATE_SECRET }: S3Variables & { STATE_SECRET?: string | undefined }): ConfigProblem[] {
  if (S3_SESSION_TOKEN === undefined || STATE_SECRET !== undefined) return [];
  const problem = 'is not set, so paid calls are remembered only as long as these temporary credentials (S3_SESSION_TOKEN) are in use';
  return [{ variable: 'STATE_SECRET', problem }];
}
