import type { MiddlewareHandler } from 'hono';
import { type HttpEnv, httpError } from './errors.ts';

const RETRY_AFTER_SECONDS = 5;

/**
 * Rejects POSTs and PUTs beyond `maxCalls` concurrent calls before reading their body, since each call uses memory whatever it
 * does. `callsInFlight` includes calls whose response has started or whose client has disconnected.
 */
export function admit(maxCalls: number, callsInFlight: () => number): MiddlewareHandler<HttpEnv> {
  let open = 0;
  return async function admit(c, next) {
    if (c.req.method !== 'POST' && c.req.method !== 'PUT') return next();
    if (Math.max(open, callsInFlight()) >= maxCalls) {
      c.header('Retry-After', String(RETRY_AFTER_SECONDS));
      return httpError(c, 503, 'busy', `The gateway is busy; the call was not forwarded. Retry in ${RETRY_AFTER_SECONDS} s.`);
    }
    open++;
    try {
      return await next();
    } finally {
      open--;
    }
  };
}
