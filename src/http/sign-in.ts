import type { Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import type { OAuthSettings, TokenProblem, VerifyAccessToken } from '../auth/access-token.ts';
import { MAX_AUTHORIZATION_CHARACTERS } from '../limits.ts';
import type { Refusal } from './authenticate.ts';
import { type HttpEnv, httpError } from './errors.ts';
import type { PublicUrlOf } from './public-url.ts';

/** Decides about a request whose bearer is not a key of the gateway. `token`: the bearer, if it is a single one. */
export type SignIn = (
  c: Context<HttpEnv>,
  request: Readonly<{
    header: string;
    token: string | undefined;
    refused: (refusal: Refusal) => void;
    next: () => Promise<void>;
  }>,
) => Promise<Response | undefined>;

export type SignInOptions = Readonly<{
  oauth: Pick<OAuthSettings, 'issuer' | 'scopes'>;
  verify: VerifyAccessToken;
  publicUrlOf: PublicUrlOf;
  /** How clients show what they sign in to. */
  title: string;
}>;

const METADATA_PATH = '/.well-known/oauth-protected-resource';
/** The endpoints that clients are given. */
const RESOURCES = ['/mcp', '/sse'];
/** Cloudflare Access keeps the client's token and sends its own. */
const ACCESS_HEADER = 'cf-access-jwt-assertion';

/** For clients and in challenges: without double quotes. */
const SENTENCE: Readonly<Record<TokenProblem | 'missing' | 'malformed', string>> = {
  missing: 'Sign in, or send the header Authorization: Bearer <key or access token>.',
  malformed: 'The token in the Authorization header is neither a key of this gateway nor an access token in the form of a signed JWT.',
  wrong_algorithm: 'The access token is not signed with an accepted asymmetric algorithm.',
  wrong_type: 'The token is signed, but is not an access token.',
  unknown_key: 'The access token is signed with a key that its issuer does not publish.',
  wrong_signature: 'The signature of the access token is wrong.',
  wrong_issuer: 'The access token is from another issuer than this gateway accepts.',
  wrong_audience: 'The access token is for another audience than this gateway.',
  expired: 'The access token has expired.',
  not_yet_valid: 'The access token is not valid yet.',
  no_subject: 'The access token names nobody (oid or sub).',
  wrong_limits: 'The limits in the access token cannot be read.',
  insufficient_scope: 'The access token lacks a required scope.',
};

/** Accepts access tokens (MCP 2026-07-28, basic/authorization), and sends clients without a valid one to the issuer. */
export function createSignIn({ oauth: { issuer, scopes }, verify, publicUrlOf }: SignInOptions): SignIn {
  const isAccess = new URL(issuer).hostname.endsWith('.cloudflareaccess.com');
  return async function signIn(c, { header, token, refused, next }) {
    const accessToken = (isAccess ? c.req.header(ACCESS_HEADER) : undefined) ?? token;
    const isReadable = accessToken !== undefined && accessToken.length <= MAX_AUTHORIZATION_CHARACTERS;
    const verified = isReadable ? await verify(accessToken) : undefined;
    if (verified && 'principal' in verified) {
      c.set('principal', verified.principal);
      await next();
      return undefined;
    }
    if (verified && 'retryAfterSeconds' in verified) {
      c.header('Retry-After', String(verified.retryAfterSeconds));
      return httpError(c, 503, 'sign_in_unavailable', 'Access tokens cannot be verified at the moment: their issuer cannot be reached.');
    }
    const problem = verified?.problem ?? (header || accessToken ? 'malformed' : 'missing');
    refused(problem);
    c.header('WWW-Authenticate', challenge(problem, scopes, metadataUrlOf(c, publicUrlOf)));
    if (problem === 'insufficient_scope') return httpError(c, 403, 'insufficient_scope', SENTENCE[problem]);
    return httpError(c, 401, 'unauthorized', SENTENCE[problem]);
  };
}

/** RFC 6750 section 3, RFC 9728 section 5.1. None of the values has a quote or a backslash. */
function challenge(problem: TokenProblem | 'missing' | 'malformed', scopes: readonly string[], metadataUrl: string | undefined): string {
  const error = problem === 'insufficient_scope' ? problem : 'invalid_token';
  const parameters = [
    ...(problem === 'missing' ? [] : [`error="${error}"`, `error_description="${SENTENCE[problem]}"`]),
    ...(scopes.length > 0 ? [`scope="${scopes.join(' ')}"`] : []),
    ...(metadataUrl === undefined ? [] : [`resource_metadata="${metadataUrl}"`]),
  ];
  return parameters.length > 0 ? `Bearer ${parameters.join(', ')}` : 'Bearer';
}

/** `undefined` where the base URL is not known. */
function metadataUrlOf(c: Context<HttpEnv>, publicUrlOf: PublicUrlOf): string | undefined {
  const publicUrl = publicUrlOf(c);
  // The inbox of a legacy stream belongs to the URL that its client was given.
  const path = c.req.path === '/messages' ? '/sse' : c.req.path;
  return publicUrl && `${publicUrl}${METADATA_PATH}${RESOURCES.includes(path) ? path : ''}`;
}

/** Serves the metadata of each endpoint as a protected resource (RFC 9728), to pages of any origin. */
export function serveResourceMetadata(app: Hono<HttpEnv>, { oauth, publicUrlOf, title }: SignInOptions): void {
  app.use(`${METADATA_PATH}/*`, cors());
  for (const path of ['', ...RESOURCES]) {
    app.get(`${METADATA_PATH}${path}`, (c) => {
      const publicUrl = publicUrlOf(c);
      if (publicUrl === undefined) return c.notFound();
      c.header('Cache-Control', 'no-store');
      return c.json({
        resource: `${publicUrl}${path}`,
        authorization_servers: [oauth.issuer],
        ...(oauth.scopes.length > 0 && { scopes_supported: oauth.scopes }),
        bearer_methods_supported: ['header'],
        resource_name: title,
      });
    });
  }
  app.get('/.well-known/*', (c) => c.notFound());
}
