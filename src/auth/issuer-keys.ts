import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose';
import { ISSUER_TIMEOUT_MS } from '../limits.ts';
import type { Runtime } from '../ports.ts';

/** Finds the key for the header of a token; throws a `JOSEError` if there is none, and a `KeysUnavailableError`. */
export type FindKey = JWTVerifyGetKey;

/** The issuer cannot be reached, and without its keys nobody knows whether a token is valid. */
export class KeysUnavailableError extends Error {
  override readonly name = 'KeysUnavailableError';
  readonly retryAfterSeconds: number;

  constructor(retryAfterSeconds: number) {
    super('The keys of the issuer are not available.');
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** From then on, keys that the issuer has withdrawn are noticed with the next token. */
const MAX_AGE_MS = 10 * 60_000;
/** An unknown key makes the gateway look for new ones, but anyone can name one. */
const COOLDOWN_MS = 30_000;
const RETRY_MS = 5_000;
const POLL_MS = 50;

/**
 * Keeps the issuer's keys. While it cannot be reached, those that are known go on working. However many requests there
 * are, it is asked once at a time, and after that not for 30 s, or 5 s after a failure.
 */
export function createIssuerKeys(
  load: () => Promise<JSONWebKeySet>,
  { log, now, sleep, waitUntil }: Pick<Runtime, 'log' | 'now' | 'sleep' | 'waitUntil'>,
): FindKey {
  let known: FindKey | undefined;
  let loadedMs = Number.NEGATIVE_INFINITY;
  let isReachable = true;
  let nextLoadMs = Number.NEGATIVE_INFINITY;
  let loadingUntilMs = Number.NEGATIVE_INFINITY;

  async function loadNow(): Promise<void> {
    loadingUntilMs = now() + ISSUER_TIMEOUT_MS;
    try {
      const [keys, jose] = await Promise.all([load(), import('jose/jwks/local')]);
      known = jose.createLocalJWKSet(keys);
      loadedMs = now();
      isReachable = true;
    } catch (error) {
      isReachable = false;
      log.warn('issuer_unreachable', { problem: error instanceof Error ? error.message : String(error) });
    }
    nextLoadMs = now() + (isReachable ? COOLDOWN_MS : RETRY_MS);
    loadingUntilMs = Number.NEGATIVE_INFINITY;
  }

  /** Loads the keys unless that was tried lately. What another request has begun is waited for only if `isNeeded`. */
  async function reload(isNeeded: boolean): Promise<void> {
    if (now() < loadingUntilMs) {
      // On workerd, one request cannot await what another has begun.
      while (isNeeded && now() < loadingUntilMs) await sleep(POLL_MS);
    } else if (now() >= nextLoadMs) {
      const loading = loadNow();
      // The others need it although this client may leave.
      waitUntil(loading);
      await loading;
    }
  }

  const unavailable = () => new KeysUnavailableError(Math.max(1, Math.ceil((nextLoadMs - now()) / 1000)));

  return async (header, token) => {
    if (!known || now() - loadedMs > MAX_AGE_MS) await reload(!known);
    if (!known) throw unavailable();
    try {
      return await known(header, token);
    } catch (error) {
      if (!hasNoKey(error)) throw error;
      await reload(true);
      if (!isReachable) throw unavailable();
      return known(header, token);
    }
  };
}

function hasNoKey(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_JWKS_NO_MATCHING_KEY';
}
