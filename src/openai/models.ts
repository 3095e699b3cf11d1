import { z } from 'zod';
import { GatewayError } from '../errors.ts';
import { callUpstream } from './call-upstream.ts';
import type { Upstream } from './upstreams.ts';

const modelList = z.object({
  data: z.array(z.object({ id: z.string(), shutdown_date: z.string().nullish().catch(null) })),
});
export type ListedModel = z.output<typeof modelList>['data'][number];

const TIMEOUT_MS = 20_000;

/** The upstream's model list; read raw, because the client makes an empty list of an answer that holds none. */
export async function listModels(upstream: Upstream, signal: AbortSignal): Promise<ListedModel[]> {
  const { service, client, variables } = upstream;
  const raw = await callUpstream(upstream, { paid: false, signal, timeoutMs: TIMEOUT_MS }, (until) =>
    client.get<unknown>('/models', { signal: until }),
  );
  const list = modelList.safeParse(raw);
  if (list.success) return list.data.data;
  throw new GatewayError({ kind: 'upstream_answer', service, problem: 'it holds no list of models', paid: false, variables });
}
