import { isTransientStatus } from '../http-semantics.ts';
import type { Log } from '../log.ts';
import type { Clock } from '../ports.ts';
import { withTimeLimit } from '../streams/time-limit.ts';
import type { ObjectStore } from './object-store.ts';

export type ReadCheckOptions = Readonly<{
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  clock: Clock;
  log: Pick<Log, 'warn'>;
  /** Whether the URLs are signed, for a private container. */
  isSigned: boolean;
  /** What the operator must correct. */
  remedy: NonNullable<ObjectStore['linkRemedy']>;
}>;

/** The warning for a file of this size, if its URL cannot be read. */
export type ReadCheck = (url: string, bytes: number) => Promise<{ warning?: string }>;

const TIMEOUT_MS = 3_000;
/** After this many, the gateway itself cannot reach public URLs, and the check is pointless. */
const MAX_UNREACHABLE = 3;
/** Servers without support for HEAD. */
const NO_HEAD = new Set([405, 501]);

/**
 * Reads a stored file through its public URL until that succeeds once. Otherwise, a private container or a wrong base
 * URL would surface only when someone opens a link.
 */
export function createReadCheck({ fetch, clock, log, remedy, isSigned }: ReadCheckOptions): ReadCheck {
  // A presigned URL is signed for its method.
  const method = isSigned ? 'GET' : 'HEAD';
  const refused = isSigned ? remedy.signedRefused : remedy.refused;
  let isSettled = false;
  let isLogged = false;
  let unreachable = 0;
  return async (url, bytes) => {
    if (isSettled) return {};
    const response = await withTimeLimit(clock, TIMEOUT_MS, (signal) => fetch(url, { method, signal })).catch(() => undefined);
    response?.body?.cancel().catch(() => {});
    const problem = response ? problemOf(response, bytes) : 'the gateway itself cannot reach its URL (clients on other networks may)';
    if (!response) unreachable++;
    isSettled = unreachable === MAX_UNREACHABLE || (problem === undefined && !isTransientStatus(response?.status ?? 0));
    if (problem === undefined || (isLogged && !response)) return {};
    const warning = `The file is stored, but ${problem}. ${response ? refused : remedy.unreachable}`;
    if (!isLogged) log.warn('media_unreadable', { warning });
    isLogged = true;
    return { warning };
  };
}

function problemOf({ ok, status, headers }: Response, bytes: number): string | undefined {
  if (isTransientStatus(status) || NO_HEAD.has(status)) return undefined;
  if (!ok) return `its URL returns ${status}`;
  const length = headers.has('content-encoding') ? null : headers.get('content-length');
  return length === null || Number(length) === bytes ? undefined : 'its URL returns different content';
}
