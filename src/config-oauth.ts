import * as z from 'zod';
import type { OAuthSettings } from './auth/access-token.ts';
import type { ConfigProblem } from './config.ts';
import { name } from './config-fields.ts';
import { isLoopbackName } from './loopback.ts';

/** The variables of the sign-in with access tokens. */
export const oauthFields = {
  MCP_OAUTH_ISSUER: issuerUrl().optional(),
  MCP_OAUTH_AUDIENCE: audiences().optional(),
  MCP_OAUTH_JWKS_URL: keysUrl().optional(),
  MCP_OAUTH_SCOPES: scopes().optional(),
  MCP_OAUTH_LIMITS_CLAIM: name().optional(),
};

type OAuthVariables = { [Name in keyof typeof oauthFields]?: z.output<(typeof oauthFields)[Name]> | undefined };

/** What one of these variables needs of the others. */
export function checkOAuth(values: Readonly<Record<string, string>>): ConfigProblem[] {
  const isSet = (variable: string) => values[variable] !== undefined;
  if (isSet('MCP_OAUTH_ISSUER')) {
    const problem = 'is required when MCP_OAUTH_ISSUER is set';
    return isSet('MCP_OAUTH_AUDIENCE') ? [] : [{ variable: 'MCP_OAUTH_AUDIENCE', problem }];
  }
  const others = Object.keys(oauthFields).filter(isSet);
  return others.length > 0 ? [{ variable: 'MCP_OAUTH_ISSUER', problem: `is required when ${others.join(', ')} is set` }] : [];
}

export function oauthSettings(env: OAuthVariables): OAuthSettings | undefined {
  if (env.MCP_OAUTH_ISSUER === undefined || env.MCP_OAUTH_AUDIENCE === undefined) return undefined;
  return {
    issuer: env.MCP_OAUTH_ISSUER,
    audiences: env.MCP_OAUTH_AUDIENCE,
    jwksUrl: env.MCP_OAUTH_JWKS_URL,
    scopes: env.MCP_OAUTH_SCOPES ?? [],
    limitsClaim: env.MCP_OAUTH_LIMITS_CLAIM,
  };
}

/** An issuer as it writes itself (RFC 8414 section 2): with its trailing slash, if it has one. */
function issuerUrl() {
  return z.string().refine((text) => isPlainUrl(text) && !text.includes('?') && isConfidential(new URL(text)), {
    message: 'must be an https URL (http on loopback) without user, query or fragment',
  });
}

function keysUrl() {
  return z.string().refine(isPlainUrl, { message: 'must be an http or https URL without user or fragment' });
}

function isPlainUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:\/\/[^\s#@\\"]+$/i.test(text);
}

/** Whoever can change the metadata on its way can make every token valid. */
function isConfidential({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || isLoopbackName(hostname);
}

function audiences() {
  return listOf(/,/, /^[\x21-\x7e]+$/, 'must be one or several audiences, separated by commas');
}

/** RFC 6749 section 3.3. */
function scopes() {
  return listOf(/[\s,]/, /^[\x21\x23-\x5b\x5d-\x7e]+$/, 'must be scopes, separated by spaces or commas');
}

function listOf(separator: RegExp, item: RegExp, message: string) {
  return z
    .string()
    .transform((text) =>
      text
        .split(separator)
        .map((one) => one.trim())
        .filter((one) => one !== ''),
    )
    .refine((items) => items.length > 0 && items.every((one) => item.test(one)), { message });
}
