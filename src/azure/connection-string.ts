import { trimEndSlashes } from '../trim-slashes.ts';

/** How requests to the storage account are authorized: with an account key, or with an existing SAS. */
type StorageCredential = { kind: 'key'; keyBase64: string } | { kind: 'sas'; query: string };

export type StorageAccount = Readonly<{
  accountName: string;
  /** The base URL of the containers, without a trailing slash; the emulator's has the account name as its path. */
  blobEndpoint: string;
  credential: StorageCredential;
}>;

/** Whether requests may do all of this: `r` read, `c` create, `w` write, `d` delete, as in a SAS. An account key may. */
export function allows({ credential }: StorageAccount, permissions: string): boolean {
  const granted = credential.kind === 'key' ? permissions : (new URLSearchParams(credential.query).get('sp') ?? '');
  return [...permissions].every((permission) => granted.includes(permission));
}

export type ConnectionStringResult = { ok: true; account: StorageAccount } | { ok: false; problem: string };

/**
 * The emulator's account and key are public constants, the same for every installation of Azurite; they are not secret
 * and grant no other access.
 * https://learn.microsoft.com/azure/storage/common/storage-connect-azurite
 */
const EMULATOR_ACCOUNT = 'devstoreaccount1';
const EMULATOR_KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

/**
 * Parses an Azure Storage connection string in any of its forms: `AccountKey` with `EndpointSuffix` or `BlobEndpoint`,
 * `SharedAccessSignature` with `BlobEndpoint`, and `UseDevelopmentStorage=true`. Problems never quote the string.
 * https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string
 */
export function parseConnectionString(text: string): ConnectionStringResult {
  const settings = readSettings(text);
  if (settings.get('usedevelopmentstorage')?.toLowerCase() === 'true') {
    const proxy = settings.get('developmentstorageproxyuri') ?? 'http://127.0.0.1';
    const origin = URL.canParse(proxy) && new URL(proxy).port === '' ? `${new URL(proxy).origin}:10000` : trimEndSlashes(proxy);
    return build(`${origin}/${EMULATOR_ACCOUNT}`, EMULATOR_ACCOUNT, { kind: 'key', keyBase64: EMULATOR_KEY });
  }
  const sas = settings.get('sharedaccesssignature')?.replace(/^\?/, '');
  const keyBase64 = settings.get('accountkey');
  const explicit = settings.get('blobendpoint');
  // A SAS is already signed, so the account name does not matter.
  const accountName = settings.get('accountname') ?? (explicit && accountNameOf(explicit)) ?? (sas && !keyBase64 ? 'unnamed' : undefined);
  if (!accountName)
    return { ok: false, problem: 'must be a connection string with AccountName, or with a BlobEndpoint that contains the account name' };
  const endpoint =
    explicit ??
    `${settings.get('defaultendpointsprotocol') ?? 'https'}://${accountName}.blob.${settings.get('endpointsuffix')?.replace(/^\./, '') ?? 'core.windows.net'}`;
  if (keyBase64) {
    if (!isBase64(keyBase64)) return { ok: false, problem: 'must contain an AccountKey in base64' };
    return build(endpoint, accountName, { kind: 'key', keyBase64 });
  }
  if (sas) {
    const fields = new URLSearchParams(sas);
    if (!fields.has('sig')) return { ok: false, problem: 'must contain a SharedAccessSignature with a sig field' };
    // A SAS based on a stored access policy does not list its permissions.
    const permissions = fields.get('sp');
    if (permissions !== null && !permissions.includes('w'))
      return { ok: false, problem: 'must contain a SharedAccessSignature with write permission (sp=rcw)' };
    return build(endpoint, accountName, { kind: 'sas', query: sas });
  }
  return { ok: false, problem: 'must be a connection string with AccountKey or SharedAccessSignature' };
}

/** `Name=Value` pairs separated by semicolons; values may contain `=`, so only the first one separates. */
function readSettings(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const pair of text.split(';')) {
    const at = pair.indexOf('=');
    const value = pair.slice(at + 1).trim();
    if (at > 0 && value !== '') settings.set(pair.slice(0, at).trim().toLowerCase(), value);
  }
  return settings;
}

function build(endpoint: string, accountName: string, credential: StorageCredential): ConnectionStringResult {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || /[?#]/.test(endpoint) || url.username)
    return { ok: false, problem: 'must contain an http or https blob endpoint' };
  if (!/^[a-z0-9-]+$/.test(accountName)) return { ok: false, problem: 'must contain an AccountName of lowercase letters and digits' };
  return { ok: true, account: { accountName, blobEndpoint: trimEndSlashes(endpoint), credential } };
}

/** Path-style endpoints, such as the emulator's, have the account as first path segment; the cloud's, as first host label. */
function accountNameOf(endpoint: string): string | undefined {
  if (!URL.canParse(endpoint)) return undefined;
  const url = new URL(endpoint);
  const segment = url.pathname.split('/')[1];
  return segment || /^([^.]+)\.blob\./.exec(url.hostname)?.[1];
}

function isBase64(text: string): boolean {
  try {
    return Uint8Array.fromBase64(text).length > 0;
  } catch {
    return false;
  }
}
