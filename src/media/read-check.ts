import type { BlobRuntime } from '../azure/requests.ts';

const TIMEOUT_MS = 3_000;
/** How Azure answers for what exists but may not be read by everyone, or is not at this URL. */
const UNREADABLE = new Set([401, 403, 404, 409]);

/**
 * Whether a file that was just stored can be read at the URL that clients get, as anybody would; what is wrong if not.
 * `undefined` as well when that cannot be found out from here: the readers may have another network.
 */
export async function findReadProblem(url: string, fetch: BlobRuntime['fetch']): Promise<string | undefined> {
  const answer = await fetch(url, { method: 'HEAD', redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => undefined);
  if (!answer || !UNREADABLE.has(answer.status)) return undefined;
  return `The file is stored, but reading its URL is answered with ${answer.status}: the container is private, or AZURE_BLOB_PUBLIC_BASE_URL is not its URL. The gateway's operator must correct that, or set AZURE_BLOB_READ_SAS_HOURS.`;
}
