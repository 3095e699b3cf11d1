import { GatewayError } from '../errors.ts';
import type { Clock } from '../ports.ts';
import { withTimeLimit } from '../streams/time-limit.ts';
import { KNOWN_MODELS } from './known-models.ts';
import { LIST_TIMEOUT_MS, type ListedModel, listModels } from './models.ts';
import type { Upstream } from './upstreams.ts';

const KEEP_MS = 10 * 60_000;
const KEEP_FAILURE_MS = 60_000;
const DAY_MS = 24 * 3_600_000;
/** How long before its retirement results warn about a model. */
const WARN_DAYS = 60;

type List = readonly ListedModel[];
/** One server's list: the last that was read, and the request under way. */
type Entry = {
  models?: List;
  failure?: GatewayError | undefined;
  /** When `models` or `failure` is to be read again. */
  staleAtMs: number;
  request?: { startMs: number; work: Promise<List> } | undefined;
};

/** When a model retires, and who says so. */
type Retirement = Readonly<{ retiresOn: string; source: 'upstream' | 'table'; successor?: string; remedy?: string }>;

/** What is known of models, from the upstreams' lists and from the table. */
export type ModelCatalog = Readonly<{
  /**
   * The models of a server, at most ten minutes old; a failure is kept for one minute. Throws a `TimeLimitError` after
   * `timeoutMs`, while the request goes on for the next caller.
   */
  list: (upstream: Upstream, options: { timeoutMs: number; signal: AbortSignal }) => Promise<List>;
  /** When a model retires, if that is known without asking the upstream. */
  retirement: (upstream: Upstream, model: string) => Retirement | undefined;
  /** The warning in results of a model that retires within 60 days. */
  warning: (upstream: Upstream, model: string) => string | undefined;
}>;

/** Creates the catalog, which lives as long as the gateway. `waitUntil` keeps a request running after its caller has gone. */
export function createModelCatalog(clock: Clock, waitUntil: (work: Promise<unknown>) => void): ModelCatalog {
  const entries = new Map<string, Entry>();

  function entryOf({ client }: Upstream): Entry {
    const key = `${client.baseURL} ${client.apiKey}`;
    const entry = entries.get(key) ?? { staleAtMs: 0 };
    entries.set(key, entry);
    return entry;
  }

  function request(upstream: Upstream, entry: Entry): Promise<List> {
    const startMs = clock.now();
    // Where the request that started it can end without a trace (workerd), the next one must not wait for it forever.
    if (entry.request && startMs - entry.request.startMs < 2 * LIST_TIMEOUT_MS) return entry.request.work;
    const work = listModels(upstream, new AbortController().signal);
    const current = { startMs, work };
    entry.request = current;
    const settled = work.then(
      (models) => Object.assign(entry, { models, failure: undefined, staleAtMs: clock.now() + KEEP_MS }),
      (failure: unknown) => {
        if (failure instanceof GatewayError) Object.assign(entry, { failure, staleAtMs: clock.now() + KEEP_FAILURE_MS });
      },
    );
    waitUntil(
      settled.finally(() => {
        if (entry.request === current) entry.request = undefined;
      }),
    );
    return work;
  }

  function retirement(upstream: Upstream, model: string): Retirement | undefined {
    const known = KNOWN_MODELS.get(model);
    const advice = { ...(known?.successor && { successor: known.successor }), ...(known?.remedy && { remedy: known.remedy }) };
    const listed = entries.get(`${upstream.client.baseURL} ${upstream.client.apiKey}`)?.models?.find(({ id }) => id === model);
    if (listed?.shutdown_date) return { retiresOn: listed.shutdown_date, source: 'upstream', ...advice };
    // Azure's deployments have names of their own, and its models dates of their own.
    if (!known?.retiresOn || upstream.provider === 'azure') return undefined;
    // Another server that lists the model may keep it for longer than OpenAI does.
    if (upstream.provider === 'compatible' && listed) return undefined;
    return { retiresOn: known.retiresOn, source: 'table', ...advice };
  }

  return {
    async list(upstream, { timeoutMs, signal }) {
      const entry = entryOf(upstream);
      if (clock.now() < entry.staleAtMs) {
        if (entry.failure) throw entry.failure;
        if (entry.models) return entry.models;
      }
      const work = request(upstream, entry);
      return withTimeLimit(clock, timeoutMs, (until) => orAborted(work, until), signal).catch((cause: unknown) => {
        throw signal.aborted ? new GatewayError({ kind: 'cancelled' }, { cause }) : cause;
      });
    },
    retirement,
    warning: (upstream, model) => toWarning(model, retirement(upstream, model), clock.now()),
  };
}

/** Settles like `work`, or rejects when the signal aborts first. */
function orAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}

function toWarning(model: string, retirement: Retirement | undefined, nowMs: number): string | undefined {
  if (!retirement) return undefined;
  const { retiresOn, source, successor, remedy } = retirement;
  const days = (Date.parse(retiresOn) - nowMs) / DAY_MS;
  // A server that still has a model which OpenAI has retired is not OpenAI's.
  if (!(days <= WARN_DAYS) || (source === 'table' && days < -1)) return undefined;
  const what = source === 'table' ? `OpenAI retires the model ${model} on ${retiresOn}.` : `The model ${model} retires on ${retiresOn}.`;
  const instead = successor ? `Use ${successor} instead.` : remedy;
  return instead ? `${what} ${instead}` : what;
}
