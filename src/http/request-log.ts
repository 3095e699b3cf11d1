import type { MiddlewareHandler } from 'hono';
import type { HttpEnv } from './errors.ts';

export type RequestLogOptions = Readonly<{
  randomUUID: () => string;
  /** Milliseconds since the epoch. */
  now: () => number;
  log: (entry: { request_id: string; method: string; path: string; status: number; duration_ms: number }) => void;
}>;

/** Gives each request an id, which the client gets as `X-Request-Id`, and tells the log how it was answered. */
export function requestLog({ randomUUID, now, log }: RequestLogOptions): MiddlewareHandler<HttpEnv> {
  return async function requestLog(c, next) {
    const startMs = now();
    const requestId = randomUUID();
    c.set('requestId', requestId);
    await next();
    c.header('X-Request-Id', requestId);
    log({ request_id: requestId, method: c.req.method, path: c.req.path, status: c.res.status, duration_ms: now() - startMs });
  };
}
