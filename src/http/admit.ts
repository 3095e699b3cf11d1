import type { MiddlewareHandler } from 'hono';
import { type HttpEnv, httpError } from './errors.ts';

const RETRY_AFTER_SECONDS = 5;

/**
 * Refuses POSTs beyond `maxCalls` at once before their body is read, since each takes some memory whatever it asks
 * for. `callsInFlight` counts the calls whose response has begun, or whose client has gone, as well.
 */
export function admit(maxCalls: number, callsInFlight: () => number): MiddlewareHandler<HttpEnv> {
  let open = 0;
  return async function admit(c, next) {
    if (c.req.method !== 'POST') return next();
    if (Math.max(open, callsInFlight()) >= maxCalls) {
      c.header('Retry-After', String(RETRY_AFTER_SECONDS));
      return httpError(c, 503, 'busy', `The gateway is busy; the call was not forwarded. Try again in ${RETRY_AFTER_SECONDS} s.`);
    }
    open++;
    try {
      return await next();
    } finally {
      open--;
    }
  };
}
