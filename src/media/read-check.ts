import { isTransientStatus } from '../http-semantics.ts';
import type { Log } from '../log.ts';
import type { Clock } from '../ports.ts';
import { withTimeLimit } from '../streams/time-limit.ts';
import type { ObjectStore } from './object-store.ts';

export type ReadCheckOptions = Readonly<{
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  clock: Clock;
  log: Pick<Log, 'warn'>;
  /** Whether the URLs carry a signature, for a private container. */
  isSigned: boolean;
  /** What the operator has to correct. */
  remedy: ObjectStore['linkRemedy'];
}>;

/** The warning that belongs to a file of this URL and size, if its URL cannot be read. */
export type ReadCheck = (url: string, bytes: number) => Promise<{ warning?: string }>;

const TIMEOUT_MS = 3_000;
/** Then the gateway has no way to the URL, and files need not wait for it. */
const MAX_UNREACHABLE = 3;
/** Servers that know no HEAD. */
const NO_HEAD = new Set([405, 501]);

/**
 * Reads what was just stored as anybody would, until that has worked once: a private container and a wrong base URL are
 * seen only by those who open a URL, and then too late.
 */
export function createReadCheck({ fetch, clock, log, remedy, isSigned }: ReadCheckOptions): ReadCheck {
  const refused = isSigned ? remedy.signedRefused : remedy.refused;
  let isSettled = false;
  let isLogged = false;
  let unreachable = 0;
  return async (url, bytes) => {
    if (isSettled) return {};
    const answer = await withTimeLimit(clock, TIMEOUT_MS, (signal) => fetch(url, { method: 'HEAD', signal })).catch(() => undefined);
    const problem = answer ? problemOf(answer, bytes) : 'the gateway itself cannot reach its URL (readers in other networks may)';
    if (!answer) unreachable++;
    isSettled = unreachable === MAX_UNREACHABLE || (problem === undefined && !isTransientStatus(answer?.status ?? 0));
    if (problem === undefined || (isLogged && !answer)) return {};
    const warning = `The file is stored, but ${problem}. ${answer ? refused : remedy.unreachable}`;
    if (!isLogged) log.warn('media_unreadable', { warning });
    isLogged = true;
    return { warning };
  };
}

function problemOf({ ok, status, headers }: Response, bytes: number): string | undefined {
  if (isTransientStatus(status) || NO_HEAD.has(status)) return undefined;
  if (!ok) return `reading its URL is answered with ${status}`;
  const length = headers.has('content-encoding') ? null : headers.get('content-length');
  return length === null || Number(length) === bytes ? undefined : 'its URL leads to something else';
}
