import type { MiddlewareHandler } from 'hono';
import { MAX_AUTHORIZATION_CHARACTERS } from '../limits.ts';
import { type HttpEnv, httpError } from './errors.ts';

/**
 * Refuses requests without `Authorization: Bearer` and the key (RFC 6750 section 2.1), before their body is read. Two
 * such headers arrive joined by a comma and a space, and are refused with everything else that is not one token.
 */
export function bearer(apiKey: string): MiddlewareHandler<HttpEnv> {
  const expected = digest(apiKey);
  expected.catch(() => {});
  return async function bearer(c, next) {
    const header = c.req.header('authorization') ?? '';
    const token = header.length <= MAX_AUTHORIZATION_CHARACTERS ? /^bearer +([\x21-\x7e]+) *$/i.exec(header)?.[1] : undefined;
    const given = token === undefined ? undefined : await digest(token);
    if (given && equal(given, await expected)) {
      c.set('tokenDigest', given);
      return next();
    }
    c.header('WWW-Authenticate', 'Bearer');
    return httpError(c, 401, 'unauthorized', 'Send the header "Authorization: Bearer <MCP_SERVER_API_KEY>" with the key of this gateway.');
  };
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
}

/** Digests have one length and their bytes cannot be guessed, so neither gives anything away by its time. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
