import * as z from 'zod';
import { parseJson } from '../parse-json.ts';
import type { Runtime } from '../ports.ts';
import { trimEndSlashes } from '../trim-slashes.ts';
import { fetchKeys } from './issuer-documents.ts';
import { createIssuerKeys, KeysUnavailableError } from './issuer-keys.ts';
import { limitsSchema, mergeLimits } from './limits.ts';
import type { Limits, Principal } from './principal.ts';
import type { JwtProblem } from './verify-jwt.ts';

/** The authorization server whose access tokens are accepted, and what they must contain. */
export type OAuthSettings = Readonly<{
  /** As it stands in tokens; a trailing slash does not matter. */
  issuer: string;
  /** One of them must be in `aud`. */
  audiences: readonly string[];
  /** `undefined`: the one in the issuer's metadata. */
  jwksUrl: string | undefined;
  /** All of them must be granted. */
  scopes: readonly string[];
  /** The claim with the limits of a principal. */
  limitsClaim: string | undefined;
}>;

/** Why an access token is refused. */
export type TokenProblem = JwtProblem | 'no_subject' | 'wrong_limits' | 'insufficient_scope';

/** `retryAfterSeconds`: whether it is valid cannot be known at the moment. */
type VerifiedToken = { principal: Principal } | { problem: TokenProblem } | { retryAfterSeconds: number };

export type VerifyAccessToken = (token: string) => Promise<VerifiedToken>;

/** OpenID Connect Core 1.0 section 2 allows no longer ones. */
const MAX_SUBJECT_CHARACTERS = 255;
const MAX_LOGGED_CHARACTERS = 64;

/** What other issuers put there is of no concern. */
const subject = z.string().max(MAX_SUBJECT_CHARACTERS).optional().catch(undefined);
/** Separated by spaces (RFC 8693 section 4.2), or an array. */
const scopeList = z.union([z.string().transform((text) => text.split(' ')), z.array(z.string())]).catch([]);
const claimsSchema = z.looseObject({ oid: subject, sub: subject, scope: scopeList, scp: scopeList });
type Claims = z.output<typeof claimsSchema>;

/** Verifies access tokens in the form of signed JWTs (RFC 9068). jose is loaded with the first. */
export function createAccessTokenVerifier(
  settings: OAuthSettings,
  runtime: Pick<Runtime, 'fetch' | 'log' | 'now' | 'sleep' | 'timeLimit' | 'waitUntil'>,
  defaults: Limits = {},
): VerifyAccessToken {
  const issuer = trimEndSlashes(settings.issuer);
  const issuers = [issuer, `${issuer}/`];
  const audiences = [...settings.audiences];
  const findKey = createIssuerKeys(() => fetchKeys(settings, runtime), runtime);
  return async (token) => {
    if (!isCompactJws(token)) return { problem: 'malformed' };
    try {
      const { verifyJwt } = await import('./verify-jwt.ts');
      const verified = await verifyJwt(token, { issuers, audiences, findKey, nowMs: runtime.now() });
      return 'problem' in verified ? verified : toPrincipal(claimsSchema.parse(verified.claims), settings, defaults);
    } catch (error) {
      if (error instanceof KeysUnavailableError) return { retryAfterSeconds: error.retryAfterSeconds };
      throw error;
    }
  };
}

/** Three parts (RFC 7515 section 3.1); a key of the gateway, or a token that only its issuer can read, costs no more. */
function isCompactJws(token: string): boolean {
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  return first > 0 && second > 0 && !token.includes('.', second + 1);
}

/** Entra's `sub` differs from app to app, so that its `oid` comes first. */
function toPrincipal(claims: Claims, settings: OAuthSettings, defaults: Limits): VerifiedToken {
  const name = claims.oid || claims.sub;
  if (!name) return { problem: 'no_subject' };
  if (!settings.scopes.every((scope) => isGranted(scope, claims))) return { problem: 'insufficient_scope' };
  const limits = limitsOf(claims, settings.limitsClaim, defaults);
  if (!limits) return { problem: 'wrong_limits' };
  return {
    principal: {
      id: `oauth:${trimEndSlashes(settings.issuer)}#${name}`,
      name: name.replace(/[^\x21-\x7e]/g, '_').slice(0, MAX_LOGGED_CHARACTERS),
      limits,
    },
  };
}

/** Clients ask Entra for `api://APP/NAME`, and its tokens have `NAME` in `scp`: their audience says of which app. */
function isGranted(required: string, { scope, scp }: Claims): boolean {
  const shortName = required.includes('://') ? required.slice(required.lastIndexOf('/') + 1) : required;
  return scope.includes(required) || scp.includes(required) || (shortName !== '' && scp.includes(shortName));
}

/** `undefined` if the claim is not what it should be: then the operator has meant something that nobody knows. */
function limitsOf(claims: Claims, claim: string | undefined, defaults: Limits): Limits | undefined {
  const value = claim !== undefined && Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  if (value === undefined) return defaults;
  // Some issuers can only put text into a claim.
  const own = limitsSchema.safeParse(typeof value === 'string' ? parseJson(value) : value);
  return own.success ? mergeLimits(defaults, own.data) : undefined;
}
