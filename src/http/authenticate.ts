import type { Context, Hono, MiddlewareHandler } from 'hono';
import type { TokenProblem } from '../auth/access-token.ts';
import type { VerifyToken } from '../auth/principal.ts';
import { MAX_AUTHORIZATION_CHARACTERS } from '../limits.ts';
import { type HttpEnv, httpError } from './errors.ts';
import type { SignIn } from './sign-in.ts';

/** Why a bearer was refused. */
export type Refusal = 'missing' | 'malformed' | 'unknown' | 'expired' | TokenProblem;

/** Without double quotes, so that it reads the same in JSON and in a header. */
const SENTENCE = {
  missing: 'Send the header Authorization: Bearer <key> with your key for this gateway.',
  wrong: 'The key in the Authorization header is wrong. Send Authorization: Bearer <key> with your key for this gateway.',
  expired: 'The key in the Authorization header has expired. Ask the operator of this gateway for a new one.',
  noOAuth:
    'The key in the Authorization header is missing or wrong, and this gateway has no OAuth sign-in. Send Authorization: Bearer <key> with your key for this gateway.',
};

/**
 * The bearer token (RFC 6750 section 2.1), if there is a single one: duplicate headers arrive joined by a comma and a space.
 */
export function bearerOf(c: Context<HttpEnv>): string | undefined {
  const header = c.req.header('authorization') ?? '';
  return header.length <= MAX_AUTHORIZATION_CHARACTERS ? /^bearer +([\x21-\x7e]+) *$/i.exec(header)?.[1] : undefined;
}

/**
 * Rejects requests without a valid bearer token before reading their body. A request without any token gets no error code
 * (RFC 6750 section 3.1). What is not a key of the gateway may be an access token, if there is a sign-in.
 */
export function authenticate(
  verify: VerifyToken,
  onRefused: (requestId: string, refusal: Refusal) => void,
  signIn?: SignIn,
): MiddlewareHandler<HttpEnv> {
  return async function authenticate(c, next) {
    const header = c.req.header('authorization') ?? '';
    const token = bearerOf(c);
    const principal = token === undefined ? undefined : await verify(token);
    if (typeof principal === 'object') {
      c.set('principal', principal);
      return next();
    }
    const refused = (refusal: Refusal) => onRefused(c.get('requestId'), refusal);
    if (signIn && principal === undefined) return signIn(c, { header, token, refused, next });
    refused(principal ?? (header === '' ? 'missing' : token === undefined ? 'malformed' : 'unknown'));
    return challenge(c, header, principal ?? 'wrong');
  };
}

function challenge(c: Context<HttpEnv>, header: string, problem: 'wrong' | 'expired'): Response {
  const hasToken = /^bearer +\S/i.test(header);
  const sentence = hasToken ? SENTENCE[problem] : SENTENCE.missing;
  c.header('WWW-Authenticate', hasToken ? `Bearer error="invalid_token", error_description="${sentence}"` : 'Bearer');
  return httpError(c, 401, 'unauthorized', sentence);
}

/**
 * Answers OAuth clients, which on a 401 look for metadata (RFC 8414, RFC 9728) and, finding none, try to register at
 * the origin. What they show their user is the error of that attempt (RFC 7591 section 3.2.2), such as mcp-remote.
 */
export function rejectOAuth(app: Hono<HttpEnv>): void {
  app.get('/.well-known/*', (c) => c.notFound());
  app.post('/register', (c) => c.json({ error: 'access_denied', error_description: SENTENCE.noOAuth }, 403));
}
