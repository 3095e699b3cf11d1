import type { Principal, VerifyToken } from './principal.ts';

/** Everyone who holds the shared key. */
const SHARED_PRINCIPAL: Principal = { id: 'default', name: 'default', limits: {} };

/** Verifies a single shared key. */
export function verifySingleKey(apiKey: string): VerifyToken {
  return async (token) => (equal(token, apiKey) ? SHARED_PRINCIPAL : undefined);
}

/**
 * The time depends on the length of the token alone, which its sender knows: neither on the key's length nor on where
 * they differ. A digest by WebCrypto would take a turn of the thread pool for each request.
 */
function equal(token: string, key: string): boolean {
  let difference = token.length ^ key.length;
  for (let i = 0; i < token.length; i++) difference |= token.charCodeAt(i) ^ key.charCodeAt(i % key.length);
  return difference === 0;
}
