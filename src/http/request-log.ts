import type { Context, MiddlewareHandler } from 'hono';
import type { Sink } from '../events.ts';
import { MAX_NAME_CHARACTERS, MAX_PATH_CHARACTERS } from '../limits.ts';
import { MEDIA_PATH } from '../media-path.ts';
import { isEventStream, onBodyEnd } from '../streams/on-end.ts';
import type { HttpEnv } from './errors.ts';
import { UPLOADS_PATH } from './uploads.ts';

export type RequestLogOptions = Readonly<{
  randomUUID: () => string;
  /** Milliseconds since the epoch. */
  now: () => number;
  emit: Sink;
}>;

/** Hono's own `c.header` would copy the response, and node-server then sends it on its slow path: 5 % of a small request. */
function setHeader(c: Context<HttpEnv>, name: string, value: string): void {
  try {
    c.res.headers.set(name, value);
  } catch {
    // The headers of a response that another Worker has returned cannot be changed.
    c.header(name, value);
  }
}

const SECRET_REST = [UPLOADS_PATH, `${MEDIA_PATH}/`];

/** The path as the log and responses show it: not the token of an upload or the name of media, which are secrets. */
export function loggedPath(path: string): string {
  const start = SECRET_REST.find((secret) => path.startsWith(secret));
  return start === undefined ? path.slice(0, MAX_PATH_CHARACTERS) : `${start}…`;
}

/** Assigns each request an id, returned as `X-Request-Id`, and reports the response once its body has been sent. */
export function requestLog({ randomUUID, now, emit }: RequestLogOptions): MiddlewareHandler<HttpEnv> {
  return async function requestLog(c, next) {
    const startMs = now();
    const requestId = randomUUID();
    c.set('requestId', requestId);
    await next();
    setHeader(c, 'x-request-id', requestId);
    const method = c.req.method.slice(0, MAX_NAME_CHARACTERS);
    const path = loggedPath(c.req.path);
    const { status } = c.res;
    const principal = c.get('principal')?.name;
    const finish = () => emit({ type: 'request', requestId, principal, method, path, status, durationMs: now() - startMs });
    if (isEventStream(c.res)) c.res = onBodyEnd(c.res, finish);
    else finish();
  };
}
