import { GatewayError } from '../errors.ts';
import type { StoreResponse } from '../storage/requests.ts';

/** `code` is an S3 constant from the body; the rest of it may quote what was signed and is never exposed. */
export function storageError(response: StoreResponse, bucket: string): GatewayError {
  const { status, code, transient, cause } = response;
  const happened = status === undefined ? 'The S3 endpoint is unreachable' : `S3 returned ${status}${code ? ` (${code})` : ''}`;
  return new GatewayError({ kind: 'storage', problem: `${happened}${remedyOf(response, bucket)}`, retryable: transient }, { cause });
}

const REMEDIES: Readonly<Record<string, string>> = {
  InvalidAccessKeyId:
    ': the access key is unknown; the operator must correct S3_ACCESS_KEY_ID, or set S3_SESSION_TOKEN if the key is temporary',
  SignatureDoesNotMatch: ': the signature was rejected; the operator must correct S3_SECRET_ACCESS_KEY',
  ExpiredToken:
    ': the temporary credentials have expired; the operator must renew S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY and S3_SESSION_TOKEN',
  InvalidToken: ': the session token was rejected; the operator must correct S3_SESSION_TOKEN',
  RequestTimeTooSkewed: ": the gateway's clock is wrong by more than 15 minutes; the operator must correct it",
  NotImplemented: ': this store lacks conditional writes (If-None-Match, If-Match); the operator must choose another store',
};
const WRONG_REGION = ['PermanentRedirect', 'AuthorizationHeaderMalformed', 'TemporaryRedirect', 'InvalidRegionName'];

function remedyOf({ status, code = '', headers }: StoreResponse, bucket: string): string {
  if (status === undefined) return '; if this persists, the operator must check S3_ENDPOINT and the network';
  if (code === 'NoSuchBucket') return `: the bucket "${bucket}" (S3_BUCKET) does not exist; the operator must create it`;
  if (WRONG_REGION.includes(code))
    return `: the bucket is in another region${regionIn(headers)}; the operator must correct S3_REGION and S3_ENDPOINT`;
  const known = REMEDIES[code];
  if (known) return known;
  if (status === 401 || status === 403 || code === 'AccessDenied')
    return ': access was denied; the operator must check S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY, and let the key read, write, delete and list objects in S3_BUCKET';
  // Whatever has a code comes from S3.
  if (code !== '') return '';
  if (status < 300) return ': not a response from S3; a proxy may be intercepting requests';
  if (status < 401 || status === 404) return ': not an S3 bucket; the operator must correct S3_ENDPOINT and S3_BUCKET';
  return '';
}

function regionIn(headers: Headers | undefined): string {
  const region = headers?.get('x-amz-bucket-region') ?? '';
  return /^[a-z0-9-]{1,32}$/.test(region) ? `, ${region}` : '';
}
