import type { Runtime } from '../ports.ts';
import type { Principal, VerifyToken } from './principal.ts';

/** A key of a principal, which may have several. */
export type ClientKey = Readonly<{
  principal: Principal;
  /** `sha256`: its digest, in lowercase hexadecimal. */
  secret: Readonly<{ key: string } | { sha256: string }>;
  /** From when on it is refused; `undefined`: never. */
  expiresMs: number | undefined;
}>;

/**
 * Looks a token up by its digest: the cost does not depend on the number of keys, and the time reveals nothing, since
 * nobody can choose how much of a digest is right.
 */
export function verifyKeys(keys: readonly ClientKey[], { sha256, now }: Pick<Runtime, 'sha256' | 'now'>): VerifyToken {
  let byDigest: ReadonlyMap<string, ClientKey> | undefined;

  async function index(): Promise<ReadonlyMap<string, ClientKey>> {
    const digests = keys.map(({ secret }) => ('key' in secret ? sha256(secret.key) : secret.sha256));
    return new Map((await Promise.all(digests)).map((digest, at) => [digest, keys[at] as ClientKey]));
  }

  return async (token) => {
    // Requests that arrive meanwhile do the same: on Workers, none may wait for the work of another.
    byDigest ??= await index();
    const found = byDigest.get(await sha256(token));
    if (!found) return undefined;
    return found.expiresMs === undefined || now() < found.expiresMs ? found.principal : 'expired';
  };
}

/** Recognizes a key that belongs to no principal. */
export type VerifyKey = (token: string) => Promise<boolean>;

export function verifyKey(key: string, { sha256 }: Pick<Runtime, 'sha256'>): VerifyKey {
  return async (token) => (await sha256(token)) === (await sha256(key));
}
