import { JOSEError, JWTClaimValidationFailed } from 'jose/errors';
import { jwtVerify } from 'jose/jwt/verify';
import { type FindKey, KeysUnavailableError } from './issuer-keys.ts';

/** Asymmetric ones only: with HS256, the public key of the issuer would be a secret that everyone knows. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
/** RFC 9068 section 2.1, and what issuers wrote before it; not the tokens for other purposes that they sign, too. */
const TYPES = ['jwt', 'at+jwt', 'application/at+jwt'];
const CLOCK_TOLERANCE_SECONDS = 30;

/** Why a signed token is invalid. */
export type JwtProblem =
  | 'malformed'
  | 'wrong_algorithm'
  | 'wrong_type'
  | 'unknown_key'
  | 'wrong_signature'
  | 'wrong_issuer'
  | 'wrong_audience'
  | 'expired'
  | 'not_yet_valid';

export type JwtOptions = Readonly<{ issuers: string[]; audiences: string[]; findKey: FindKey; nowMs: number }>;

/** The claims of an access token (RFC 7519 section 7.2), or why it is invalid. Throws a `KeysUnavailableError`. */
export async function verifyJwt(
  token: string,
  { issuers, audiences, findKey, nowMs }: JwtOptions,
): Promise<{ claims: unknown } | { problem: JwtProblem }> {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, findKey, {
      algorithms: ALGORITHMS,
      issuer: issuers,
      audience: audiences,
      currentDate: new Date(nowMs),
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      requiredClaims: ['exp'],
    });
    const { typ } = protectedHeader;
    if (typ !== undefined && !TYPES.includes(String(typ).toLowerCase())) return { problem: 'wrong_type' };
    return { claims: payload };
  } catch (error) {
    if (error instanceof KeysUnavailableError) throw error;
    return { problem: problemOf(error) };
  }
}

const BY_CODE: Readonly<Record<string, JwtProblem>> = {
  ERR_JWT_EXPIRED: 'expired',
  ERR_JOSE_ALG_NOT_ALLOWED: 'wrong_algorithm',
  ERR_JOSE_NOT_SUPPORTED: 'wrong_algorithm',
  ERR_JWKS_NO_MATCHING_KEY: 'unknown_key',
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'unknown_key',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'wrong_signature',
};
const BY_CLAIM: Readonly<Record<string, JwtProblem>> = { iss: 'wrong_issuer', aud: 'wrong_audience', nbf: 'not_yet_valid' };

function problemOf(error: unknown): JwtProblem {
  if (error instanceof JWTClaimValidationFailed) return BY_CLAIM[error.claim] ?? 'malformed';
  // Of a key that cannot be used, such as RSA with 1,024 bits, WebCrypto and jose throw errors of other kinds.
  return error instanceof JOSEError ? (BY_CODE[error.code] ?? 'malformed') : 'unknown_key';
}
