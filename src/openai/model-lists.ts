import { GatewayError } from '../errors.ts';
import type { Clock } from '../ports.ts';
import { withTimeLimit } from '../streams/time-limit.ts';
import { LIST_TIMEOUT_MS, type ListedModel, listModels } from './models.ts';
import type { Upstream } from './upstreams.ts';

const KEEP_MS = 10 * 60_000;
const KEEP_FAILURE_MS = 60_000;

type List = readonly ListedModel[];
/** Of one server: the last list that was read, and the request under way. */
type Entry = {
  models?: List;
  failure?: GatewayError | undefined;
  /** When the list, or the failure, has to be read again. */
  staleAtMs: number;
  request?: { startMs: number; work: Promise<List> } | undefined;
};

export type ModelLists = Readonly<{
  /**
   * The models of a server, at most ten minutes old; a failure is kept for one minute. Throws a `TimeLimitError` after
   * `timeoutMs`, while the request goes on for the next caller.
   */
  read: (upstream: Upstream, options: { timeoutMs: number; signal: AbortSignal }) => Promise<List>;
  /** The last list that was read, if any. */
  cached: (upstream: Upstream) => List;
}>;

/** Caches model lists, with one request in flight per server. `waitUntil` keeps it running after its caller has gone. */
export function createModelLists(clock: Clock, waitUntil: (work: Promise<unknown>) => void): ModelLists {
  const entries = new Map<string, Entry>();

  /** A server that serves several capabilities is asked once. */
  function entryOf({ account }: Upstream): Entry {
    const entry = entries.get(account) ?? { staleAtMs: 0 };
    entries.set(account, entry);
    return entry;
  }

  return {
    async read(upstream, { timeoutMs, signal }) {
      const entry = entryOf(upstream);
      if (clock.now() < entry.staleAtMs) {
        if (entry.failure) throw entry.failure;
        if (entry.models) return entry.models;
      }
      const work = request(upstream, entry, clock, waitUntil);
      return withTimeLimit(clock, timeoutMs, (until) => orAborted(work, until), signal).catch((cause: unknown) => {
        throw signal.aborted ? new GatewayError({ kind: 'cancelled' }, { cause }) : cause;
      });
    },
    cached: (upstream) => entryOf(upstream).models ?? [],
  };
}

/** The request under way, or a new one. */
function request(upstream: Upstream, entry: Entry, { now }: Clock, waitUntil: (work: Promise<unknown>) => void): Promise<List> {
  const startMs = now();
  // On workerd a request can end with its first caller and never settle; the others do not wait for it forever.
  if (entry.request && startMs - entry.request.startMs < 2 * LIST_TIMEOUT_MS) return entry.request.work;
  const work = listModels(upstream, new AbortController().signal);
  const current = { startMs, work };
  entry.request = current;
  const settled = work.then(
    (models) => Object.assign(entry, { models, failure: undefined, staleAtMs: now() + KEEP_MS }),
    (failure: unknown) => {
      if (failure instanceof GatewayError) Object.assign(entry, { failure, staleAtMs: now() + KEEP_FAILURE_MS });
    },
  );
  const forget = () => {
    if (entry.request === current) entry.request = undefined;
  };
  waitUntil(settled.finally(forget));
  return work;
}

/** Settles like `work`, or rejects when the signal aborts first. */
function orAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}
