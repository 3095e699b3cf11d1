import type { Clock } from '../ports.ts';
import { DAY_MS } from '../utc-day.ts';
import { KNOWN_MODELS } from './known-models.ts';
import { createModelLists, type ModelLists } from './model-lists.ts';
import type { Upstream } from './upstreams.ts';

/** How long before its retirement results warn about a model. */
const WARN_DAYS = 60;

/** When a model retires, and who says so. */
type Retirement = Readonly<{ retiresOn: string; source: 'upstream' | 'table'; successor?: string }>;

/** What is known of models, from the upstreams' lists and from the table. */
export type ModelCatalog = Readonly<{
  list: ModelLists['read'];
  /** When a model retires, if that is known without asking the upstream. */
  retirement: (upstream: Upstream, model: string) => Retirement | undefined;
  /** The warning in results of a model that retires within 60 days. */
  warning: (upstream: Upstream, model: string) => string | undefined;
}>;

/** Creates the catalog, which lives as long as the gateway. */
export function createModelCatalog(clock: Clock, waitUntil: (work: Promise<unknown>) => void): ModelCatalog {
  const lists = createModelLists(clock, waitUntil);

  function retirement(upstream: Upstream, model: string): Retirement | undefined {
    const known = KNOWN_MODELS.get(model);
    const advice = known?.successor ? { successor: known.successor } : {};
    const listed = lists.cached(upstream).find(({ id }) => id === model);
    if (listed?.shutdown_date) return { retiresOn: listed.shutdown_date, source: 'upstream', ...advice };
    // Azure's deployments have names of their own, and its models dates of their own.
    if (!known?.retiresOn || upstream.provider === 'azure') return undefined;
    // Another server that lists the model may keep it for longer than OpenAI does.
    if (upstream.provider === 'compatible' && listed) return undefined;
    return { retiresOn: known.retiresOn, source: 'table', ...advice };
  }

  return {
    list: lists.read,
    retirement,
    warning: (upstream, model) => toWarning(model, retirement(upstream, model), clock.now()),
  };
}

function toWarning(model: string, retirement: Retirement | undefined, nowMs: number): string | undefined {
  if (!retirement) return undefined;
  const { retiresOn, source, successor } = retirement;
  const days = (Date.parse(retiresOn) - nowMs) / DAY_MS;
  // A server that still has a model which OpenAI has retired is not OpenAI's. An invalid date is no date.
  if (!(days <= WARN_DAYS) || (source === 'table' && days < -1)) return undefined;
  const what = source === 'table' ? `OpenAI retires the model ${model} on ${retiresOn}.` : `The model ${model} retires on ${retiresOn}.`;
  return successor ? `${what} Use ${successor} instead.` : what;
}
