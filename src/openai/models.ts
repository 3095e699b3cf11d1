import * as z from 'zod';
import { MAX_LISTED_MODELS, MAX_MODELS_BODY_BYTES } from '../limits.ts';
import { callUpstream } from './call-upstream.ts';
import { observe } from './observe.ts';
import { readJson, unexpectedBody } from './read-response.ts';
import type { Upstream } from './upstreams.ts';

/** Model and deployment names: visible ASCII. */
const MODEL_NAME = /^[!-~]{1,200}$/;

const date = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}/)
  .transform((text) => text.slice(0, 'yyyy-mm-dd'.length));
const modelList = z.object({
  data: z.array(z.object({ id: z.string(), shutdown_date: date.nullish().catch(null) })),
});
export type ListedModel = z.output<typeof modelList>['data'][number];

export const LIST_TIMEOUT_MS = 20_000;

/** The upstream's model list, without ids that no call could name. */
export function listModels(upstream: Upstream, signal: AbortSignal): Promise<ListedModel[]> {
  return observe(upstream, { operation: 'list_models', model: undefined }, () => list(upstream, signal));
}

async function list(upstream: Upstream, signal: AbortSignal): Promise<ListedModel[]> {
  const raw = await callUpstream(upstream, { paid: false, signal, timeoutMs: LIST_TIMEOUT_MS }, async (until) =>
    readJson(await (await upstream.client()).get('/models', { signal: until }).asResponse(), upstream, {
      paid: false,
      maxBytes: MAX_MODELS_BODY_BYTES,
    }),
  );
  const parsed = modelList.safeParse(raw);
  if (parsed.success) return parsed.data.data.filter(({ id }) => MODEL_NAME.test(id)).slice(0, MAX_LISTED_MODELS);
  throw unexpectedBody(upstream, 'no model list', false);
}
