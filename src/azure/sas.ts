/**
 * Service SAS for one blob, in pure stages: fields, string to sign, signature, query.
 * https://learn.microsoft.com/rest/api/storageservices/create-service-sas (version 2020-12-06 and later)
 */

/** The service version whose string-to-sign format this file implements; sent as `sv` and `x-ms-version`. */
export const STORAGE_VERSION = '2021-12-02';

export type BlobSasFields = Readonly<{
  accountName: string;
  container: string;
  /** The blob's name, not percent-encoded. */
  blob: string;
  /** In the order Azure requires: r, a, c, w, d, … */
  permissions: string;
  startsOn: Date;
  expiresOn: Date;
  httpsOnly: boolean;
}>;

/** The sixteen signed lines. The empty ones: identifier, IP, snapshot, encryption scope, response headers. */
export function blobSasStringToSign(fields: BlobSasFields): string {
  return [
    fields.permissions,
    isoSeconds(fields.startsOn),
    isoSeconds(fields.expiresOn),
    `/blob/${fields.accountName}/${fields.container}/${fields.blob}`,
    '',
    '',
    protocol(fields),
    STORAGE_VERSION,
    'b',
    '',
    '',
    '',
    '',
    '',
    '',
    '',
  ].join('\n');
}

/** Imports an account key once, so that each signature costs only one HMAC. */
export function importAccountKey(keyBase64: string): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', Uint8Array.fromBase64(keyBase64), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
}

/** HMAC-SHA256 of the string's UTF-8 bytes, in base64. */
export async function sign(key: CryptoKey, stringToSign: string): Promise<string> {
  const signature = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(stringToSign));
  return new Uint8Array(signature).toBase64();
}

/** The query string (without `?`) that grants `permissions` on the blob from `startsOn` to `expiresOn`. */
export async function blobSasQuery(key: CryptoKey, fields: BlobSasFields): Promise<string> {
  return new URLSearchParams({
    sv: STORAGE_VERSION,
    spr: protocol(fields),
    st: isoSeconds(fields.startsOn),
    se: isoSeconds(fields.expiresOn),
    sr: 'b',
    sp: fields.permissions,
    sig: await sign(key, blobSasStringToSign(fields)),
  }).toString();
}

/** Plain HTTP is only for the emulator, which has no certificate. */
function protocol(fields: BlobSasFields): string {
  return fields.httpsOnly ? 'https' : 'https,http';
}

function isoSeconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
