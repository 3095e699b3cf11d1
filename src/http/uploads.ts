import type { Handler } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Owner } from '../auth/principal.ts';
import { type Failure, GatewayError, type UploadProblem } from '../errors.ts';
import { type HttpEnv, httpError } from './errors.ts';

type Received = Readonly<{ owner: Owner; file: Readonly<{ url: string; contentType: string; bytes: number; expiresAt?: string }> }>;

/** The path of uploads; the rest is a token, which is a secret. */
export const UPLOADS_PATH = '/uploads/';

const STATUS: Readonly<Record<UploadProblem, ContentfulStatusCode>> = {
  unknown: 404,
  expired: 410,
  used: 409,
  empty: 400,
  encoded: 415,
  unsupported: 415,
  too_large: 413,
  too_slow: 408,
  broken: 400,
};

/**
 * `PUT /uploads/{token}`: stores the file in the body. Whoever has the token may do it, so there is no other
 * authentication. Responds with 201 and `{url, content_type, bytes, expires_at?}`, or with the error.
 */
export function receiveUpload(receive: (token: string, request: Request) => Promise<Received>): Handler<HttpEnv> {
  return async function receiveUpload(c) {
    c.header('Cache-Control', 'no-store');
    try {
      const { owner, file } = await receive(c.req.param('token') ?? '', c.req.raw);
      c.set('principal', { ...owner, limits: {} });
      const { url, contentType, bytes, expiresAt } = file;
      return c.json({ url, content_type: contentType, bytes, ...(expiresAt && { expires_at: expiresAt }) }, 201, { Location: url });
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      const { failure } = error;
      // The rest of the body must not be parsed as another request (RFC 9110 section 15.5.9).
      c.header('Connection', 'close');
      if (failure.kind === 'busy') c.header('Retry-After', String(failure.retryAfterSeconds));
      return httpError(c, statusOf(failure), failure.kind === 'busy' ? 'busy' : 'upload_failed', error.message);
    }
  };
}

function statusOf(failure: Failure): ContentfulStatusCode {
  if (failure.kind === 'upload_refused') return STATUS[failure.problem];
  return failure.kind === 'cancelled' ? 400 : 503;
}
