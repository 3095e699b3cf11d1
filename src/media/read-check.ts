import type { BlobRuntime } from '../azure/requests.ts';
import type { Log } from '../log.ts';

export type ReadCheckOptions = Readonly<{
  fetch: BlobRuntime['fetch'];
  log: Pick<Log, 'warn'>;
  /** Whether the URLs carry a SAS, for a private container. */
  isSigned: boolean;
}>;

/** The warning that belongs to a file of this URL and size, if its URL cannot be read. */
export type ReadCheck = (url: string, bytes: number) => Promise<{ warning?: string }>;

const TIMEOUT_MS = 3_000;
const UNREACHABLE = 'the gateway itself cannot reach its URL';

/**
 * Reads what was just stored as anybody would, until that has worked once: a private container and a wrong base URL are
 * seen only by those who open a URL, and then too late.
 */
export function createReadCheck({ fetch, log, isSigned }: ReadCheckOptions): ReadCheck {
  let isSettled = false;
  let isLogged = false;
  return async (url, bytes) => {
    if (isSettled) return {};
    const problem = await findProblem(url, bytes, fetch);
    // Readers may have another network than the gateway, so that it cannot reach the URL is told once.
    isSettled = problem === undefined || problem === UNREACHABLE;
    if (problem === undefined) return {};
    const warning = `The file is stored, but ${problem}. ${isSigned ? REMEDY_SIGNED : REMEDY}`;
    if (!isLogged) log.warn('media_unreadable', { warning });
    isLogged = true;
    return { warning };
  };
}

const REMEDY =
  "The container is private, or AZURE_BLOB_PUBLIC_BASE_URL is not its URL: the gateway's operator must correct that, or set AZURE_BLOB_READ_SAS_HOURS.";
const REMEDY_SIGNED =
  "AZURE_BLOB_PUBLIC_BASE_URL is not the container's URL, or what is there drops the query: the gateway's operator must correct that.";

async function findProblem(url: string, bytes: number, fetch: BlobRuntime['fetch']): Promise<string | undefined> {
  const answer = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => undefined);
  if (!answer) return UNREACHABLE;
  if (!answer.ok) return `reading its URL is answered with ${answer.status}`;
  const length = answer.headers.has('content-encoding') ? null : answer.headers.get('content-length');
  return length === null || Number(length) === bytes ? undefined : 'its URL leads to something else';
}
