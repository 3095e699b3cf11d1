import type { Handler } from 'hono';
import type { VerifyKey } from '../auth/keys.ts';
import type { Load, Runtime } from '../ports.ts';
import { bearerOf } from './authenticate.ts';
import { type HttpEnv, httpError } from './errors.ts';

export type MetricsOptions = Readonly<{
  /** Knows the key of the metrics, which is not the clients'; `undefined` where none is set. */
  verify: VerifyKey | undefined;
  scrape: Runtime['scrape'];
  load: () => Load;
  onRefused: (requestId: string) => void;
}>;

/** `GET /metrics`, for Prometheus. It does not exist without a key, nor on Workers, where one isolate's counters mean nothing. */
export function metrics({ verify, scrape, load, onRefused }: MetricsOptions): Handler<HttpEnv> {
  return async function metrics(c) {
    if (!verify) return httpError(c, 404, 'not_found', 'There are no metrics: METRICS_KEY is not set.');
    if (!scrape) return httpError(c, 404, 'not_found', 'There are no metrics on Workers: bind Analytics Engine as ANALYTICS instead.');
    const token = bearerOf(c);
    if (token === undefined || !(await verify(token))) {
      onRefused(c.get('requestId'));
      c.header('WWW-Authenticate', 'Bearer');
      return httpError(c, 401, 'unauthorized', 'Send the header Authorization: Bearer <METRICS_KEY>.');
    }
    const { contentType, text } = await scrape(load());
    return c.body(text, 200, { 'content-type': contentType });
  };
}
