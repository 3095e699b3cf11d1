import type { MiddlewareHandler } from 'hono';
import type { VerifyToken } from '../auth/principal.ts';
import { MAX_AUTHORIZATION_CHARACTERS } from '../limits.ts';
import { type HttpEnv, httpError } from './errors.ts';

/** Why a bearer was refused. */
export type Refusal = 'missing' | 'malformed' | 'unknown';

/**
 * Rejects requests without a valid bearer token (RFC 6750 section 2.1) before reading their body. Duplicate headers
 * arrive joined by a comma and a space, and are rejected like anything else that is not a single token.
 */
export function authenticate(verify: VerifyToken, onRefused: (requestId: string, refusal: Refusal) => void): MiddlewareHandler<HttpEnv> {
  return async function authenticate(c, next) {
    const header = c.req.header('authorization') ?? '';
    const token = header.length <= MAX_AUTHORIZATION_CHARACTERS ? /^bearer +([\x21-\x7e]+) *$/i.exec(header)?.[1] : undefined;
    const principal = token === undefined ? undefined : await verify(token);
    if (principal) {
      c.set('principal', principal);
      return next();
    }
    onRefused(c.get('requestId'), header === '' ? 'missing' : token === undefined ? 'malformed' : 'unknown');
    c.header('WWW-Authenticate', 'Bearer');
    return httpError(c, 401, 'unauthorized', 'Send the header "Authorization: Bearer <MCP_SERVER_API_KEY>" with this gateway\'s key.');
  };
}
