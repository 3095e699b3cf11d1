import { z } from 'zod';
import { MAX_MODELS_BODY_BYTES } from '../limits.ts';
import { callUpstream } from './call-upstream.ts';
import { readJson, unexpectedBody } from './read-response.ts';
import type { Upstream } from './upstreams.ts';

const modelList = z.object({
  data: z.array(z.object({ id: z.string(), shutdown_date: z.string().nullish().catch(null) })),
});
export type ListedModel = z.output<typeof modelList>['data'][number];

const TIMEOUT_MS = 20_000;

/** The upstream's model list. */
export async function listModels(upstream: Upstream, signal: AbortSignal): Promise<ListedModel[]> {
  const raw = await callUpstream(upstream, { paid: false, signal, timeoutMs: TIMEOUT_MS }, async (until) =>
    readJson(await upstream.client.get('/models', { signal: until }).asResponse(), upstream, {
      paid: false,
      maxBytes: MAX_MODELS_BODY_BYTES,
    }),
  );
  const list = modelList.safeParse(raw);
  if (list.success) return list.data.data;
  throw unexpectedBody(upstream, 'no model list', false);
}
