import { exportSPKI, SignJWT, UnsecuredJWT } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';
import { createAccessTokenVerifier, type OAuthSettings, type TokenProblem } from '../../src/auth/access-token.ts';
import { createIssuer, createKey, createToken, ISSUER, KEYS_URL, type SigningKey } from '../stand-ins/issuer.ts';
import { testRuntime } from '../support.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const SETTINGS: OAuthSettings = {
  issuer: ISSUER,
  audiences: ['api://gateway', 'https://gateway.example.com/mcp'],
  jwksUrl: undefined,
  scopes: ['mcp'],
  limitsClaim: 'https://example.com/limits',
};

const [current, next, rsa] = await Promise.all([createKey('current'), createKey('next'), createKey('rsa', 'RS256')]);

let nowMs: number;
let issuer: ReturnType<typeof createIssuer>;

beforeEach(() => {
  nowMs = Date.UTC(2026, 10, 25, 12);
  issuer = createIssuer(current, rsa);
});

function createVerifier(settings: Partial<OAuthSettings> = {}, defaults = {}) {
  const runtime = testRuntime({ fetch: issuer.fetch, now: () => nowMs });
  return Object.assign(createAccessTokenVerifier({ ...SETTINGS, ...settings }, runtime, defaults), { lines: runtime.lines });
}

const token = (claims: object = {}, header: object = {}, key: SigningKey = current) => createToken(key, nowMs, claims, header);
const accepted = { principal: expect.objectContaining({ name: 'alice' }) };
const seconds = (fromNow: number) => Math.floor(nowMs / SECOND_MS) + fromNow;

describe('a token', () => {
  test.each(['RS256', 'RS512', 'PS256', 'ES256', 'ES384', 'EdDSA'])('signed with %s is accepted', async (alg) => {
    const key = await createKey('another', alg);
    issuer.keys.push(key);
    expect(await createVerifier()(await token({}, {}, key))).toEqual(accepted);
  });

  test.each<[string, object, object?]>([
    ['for one of several audiences', { aud: ['https://other.example.com', 'https://gateway.example.com/mcp'] }],
    ['whose issuer has a trailing slash', { iss: `${ISSUER}/` }],
    ['of type JWT', {}, { typ: 'JWT' }],
    ['of type application/at+jwt', {}, { typ: 'application/at+jwt' }],
    ['without a type', {}, { typ: undefined }],
    ['that has just expired by our clock', { exp: 0 + Math.floor(Date.UTC(2026, 10, 25, 12) / SECOND_MS) - 20 }],
    ['with scopes in scp', { scope: undefined, scp: 'other mcp' }],
    ['with scopes in an array', { scope: undefined, scp: ['mcp'] }],
  ])('%s is accepted', async (_, claims, header) => {
    expect(await createVerifier()(await token(claims, header))).toEqual(accepted);
  });

  test.each<[TokenProblem, string, () => string | Promise<string>]>([
    ['malformed', 'empty', () => ''],
    ['malformed', 'of two parts', () => 'a.b'],
    ['malformed', 'of dots', () => '.'.repeat(4_000)],
    ['malformed', 'that is encrypted', () => 'a.b.c.d.e'],
    ['malformed', 'of garbage', () => `${'x'.repeat(1_500)}.${'y'.repeat(1_000)}.${'z'.repeat(1_000)}`],
    ['malformed', 'whose claims are no JSON', () => signText('{"iss"')],
    ['malformed', 'whose claims are deep', () => signText('['.repeat(2_500))],
    ['malformed', 'that never expires', () => token({ exp: undefined })],
    ['wrong_algorithm', 'with alg none', () => new UnsecuredJWT({ sub: 'alice' }).setIssuer(ISSUER).setAudience('api://gateway').encode()],
    ['wrong_algorithm', 'with the public key as secret (PEM)', async () => confused(await exportSPKI(rsa.publicKey))],
    ['wrong_algorithm', 'with the public key as secret (JWK)', () => confused(JSON.stringify(rsa.jwk))],
    ['wrong_type', 'for another purpose', () => token({}, { typ: 'logout+jwt' })],
    ['unknown_key', 'of a key that is not published', () => token({}, { kid: 'unknown' })],
    ['unknown_key', 'with the algorithm of another key', () => token({}, { kid: 'rsa' })],
    ['wrong_signature', 'of another key', () => token({}, { kid: 'current' }, next)],
    ['wrong_signature', 'whose claims were changed', async () => changed(await token())],
    ['wrong_issuer', 'of another issuer', () => token({ iss: 'https://issuer.example.com/other' })],
    ['wrong_issuer', 'without an issuer', () => token({ iss: undefined })],
    ['wrong_audience', 'for another audience', () => token({ aud: 'api://other' })],
    ['wrong_audience', 'without an audience', () => token({ aud: undefined })],
    ['expired', 'that has expired', () => token({ exp: seconds(-31) })],
    ['not_yet_valid', 'that is not valid yet', () => token({ nbf: seconds(31) })],
    ['no_subject', 'of nobody', () => token({ sub: undefined })],
    ['no_subject', 'of a service token, whose subject is empty', () => token({ sub: '' })],
    ['no_subject', 'whose subject is no text', () => token({ sub: { $ne: '' } })],
    ['no_subject', 'whose subject is too long', () => token({ sub: 'x'.repeat(256) })],
    ['insufficient_scope', 'without the scope', () => token({ scope: 'other mcpx' })],
    ['insufficient_scope', 'without scopes', () => token({ scope: undefined })],
    ['wrong_limits', 'with limits that do not exist', () => token({ 'https://example.com/limits': { budget: 5 } })],
    ['wrong_limits', 'with limits that are no JSON', () => token({ 'https://example.com/limits': '{' })],
  ])('%s: one %s', async (problem, _, create) => {
    expect(await createVerifier()(await create())).toEqual({ problem });
  });
});

async function signText(text: string): Promise<string> {
  const encode = (part: string) => new TextEncoder().encode(part).toBase64({ alphabet: 'base64url', omitPadding: true });
  const signed = `${encode(JSON.stringify({ alg: 'ES256', kid: 'current' }))}.${encode(text)}`;
  const algorithm = { name: 'ECDSA', hash: 'SHA-256' };
  const signature = new Uint8Array(await crypto.subtle.sign(algorithm, current.privateKey, new TextEncoder().encode(signed)));
  return `${signed}.${signature.toBase64({ alphabet: 'base64url', omitPadding: true })}`;
}

function confused(secret: string): Promise<string> {
  const claims = { iss: ISSUER, aud: 'api://gateway', sub: 'alice', scope: 'mcp', exp: seconds(600) };
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'rsa' }).sign(new TextEncoder().encode(secret));
}

function changed(signed: string): string {
  const [header, claims = '', signature] = signed.split('.');
  const text = new TextDecoder().decode(Uint8Array.fromBase64(claims, { alphabet: 'base64url' })).replace('"alice"', '"admin"');
  return [header, new TextEncoder().encode(text).toBase64({ alphabet: 'base64url', omitPadding: true }), signature].join('.');
}

describe('the principal', () => {
  const principalOf = async (claims: object, settings: Partial<OAuthSettings> = {}, defaults = {}) => {
    const verified = await createVerifier(settings, defaults)(await token(claims));
    return 'principal' in verified ? verified.principal : verified;
  };

  test('is named by its issuer and sub, and has no limits', async () => {
    expect(await principalOf({})).toEqual({ id: `oauth:${ISSUER}#alice`, name: 'alice', limits: {} });
  });

  test("is named by Entra's oid, whichever app it has signed in to", async () => {
    expect(await principalOf({ oid: '0b1c', sub: 'of-this-app' })).toMatchObject({ id: `oauth:${ISSUER}#0b1c`, name: '0b1c' });
  });

  test('is the same with a trailing slash in the configuration', async () => {
    expect(await principalOf({}, { issuer: `${ISSUER}/` })).toMatchObject({ id: `oauth:${ISSUER}#alice` });
  });

  test('has a short, printable name in the log', async () => {
    const sub = `ä\n"${'x'.repeat(200)}`;
    expect(await principalOf({ sub })).toMatchObject({ id: `oauth:${ISSUER}#${sub}`, name: `__"${'x'.repeat(61)}` });
  });

  test.each([
    ['an object', { tools: ['chat_completion'], budget_usd_per_day: 5 }],
    ['text', '{"tools":["chat_completion"],"budget_usd_per_day":5}'],
  ])('has the limits of its claim, as %s, and otherwise the defaults', async (_, claim) => {
    const principal = await principalOf({ 'https://example.com/limits': claim }, {}, { budgetUsdPerDay: 1, callsPerMinute: 10 });
    expect(principal).toMatchObject({ limits: { tools: ['chat_completion'], budgetUsdPerDay: 5, callsPerMinute: 10 } });
    expect(await principalOf({}, {}, { callsPerMinute: 10 })).toMatchObject({ limits: { callsPerMinute: 10 } });
  });

  test('cannot choose its limits where no claim is configured', async () => {
    const claims = { 'https://example.com/limits': { budget_usd_per_day: 1_000_000 } };
    expect(await principalOf(claims, { limitsClaim: undefined }, { budgetUsdPerDay: 1 })).toMatchObject({ limits: { budgetUsdPerDay: 1 } });
  });
});

test("Entra's scopes are required by their full name, and granted by the short one", async () => {
  const verify = createVerifier({ scopes: ['api://gateway/mcp'] });
  expect(await verify(await token({ scope: undefined, scp: 'mcp' }))).toEqual(accepted);
  expect(await verify(await token({ scope: undefined, scp: 'gateway' }))).toEqual({ problem: 'insufficient_scope' });
  const withSlash = createVerifier({ scopes: ['api://gateway/'] });
  expect(await withSlash(await token({ scope: undefined, scp: '' }))).toEqual({ problem: 'insufficient_scope' });
});

describe('the keys', () => {
  const known = async () => {
    const verify = createVerifier();
    expect(await verify(await token())).toEqual(accepted);
    issuer.requested.length = 0;
    return verify;
  };
  const keyRequests = () => issuer.requested.filter((url) => url === KEYS_URL).length;

  test('are fetched once for many tokens', async () => {
    const verify = createVerifier();
    const signed = await token();
    const results = await Promise.all(Array.from({ length: 20 }, () => verify(signed)));
    expect(results).toEqual(results.map(() => accepted));
    expect(await verify(await token({}, {}, rsa))).toEqual(accepted);
    expect(keyRequests()).toBe(1);
  });

  test('are found again after a rotation, and old ones stay valid while they are published', async () => {
    const verify = await known();
    nowMs += 31 * SECOND_MS;
    issuer.keys.push(next);
    expect(await verify(await token({}, {}, next))).toEqual(accepted);
    expect(await verify(await token())).toEqual(accepted);
    expect(keyRequests()).toBe(1);
  });

  test('are no longer valid soon after they are withdrawn', async () => {
    const verify = await known();
    issuer.keys.splice(0, 2, next);
    nowMs += 11 * MINUTE_MS;
    expect(await verify(await token())).toEqual({ problem: 'unknown_key' });
  });

  test('are asked for at most every 30 s, whatever tokens say', async () => {
    const verify = await known();
    for (let step = 0; step < 120; step++) {
      nowMs += SECOND_MS;
      expect(await verify(await token({}, { kid: `random-${step}` }))).toEqual({ problem: 'unknown_key' });
    }
    expect(keyRequests()).toBe(4);
  });

  test('go on working while the issuer is down, and unknown ones are not judged', async () => {
    const verify = await known();
    issuer.isDown = true;
    nowMs += 60 * MINUTE_MS;
    expect(await verify(await token())).toEqual(accepted);
    expect(await verify(await token({}, {}, next))).toEqual({ retryAfterSeconds: 5 });
    expect(verify.lines.join()).toMatch(/issuer_unreachable.*https:\/\/issuer\.example\.com\/tenant\/\S+ cannot be reached/);
    issuer.isDown = false;
    issuer.keys.push(next);
    nowMs += 6 * SECOND_MS;
    expect(await verify(await token({}, {}, next))).toEqual(accepted);
  });

  test('are asked for again some seconds after a failure', async () => {
    issuer.isDown = true;
    const verify = createVerifier();
    const results = await Promise.all(Array.from({ length: 20 }, async () => verify(await token())));
    expect(results).toEqual(results.map(() => ({ retryAfterSeconds: 5 })));
    expect(issuer.requested).toHaveLength(3);
    issuer.isDown = false;
    expect(await verify(await token())).toEqual({ retryAfterSeconds: 5 });
    nowMs += 5 * SECOND_MS;
    expect(await verify(await token())).toEqual(accepted);
  });

  test('are fetched from the configured URL without looking for another', async () => {
    expect(await createVerifier({ jwksUrl: KEYS_URL })(await token())).toEqual(accepted);
    expect(issuer.requested).toEqual([KEYS_URL]);
  });

  test('are found by the metadata of OAuth, then of OpenID Connect', async () => {
    const [oauth = '', ...openId] = [
      'https://issuer.example.com/.well-known/oauth-authorization-server/tenant',
      'https://issuer.example.com/.well-known/openid-configuration/tenant',
      'https://issuer.example.com/tenant/.well-known/openid-configuration',
    ];
    const { documents } = issuer;
    documents[openId[1] as string] = documents[oauth] as () => Response;
    delete documents[oauth];
    expect(await createVerifier()(await token())).toEqual(accepted);
    expect(issuer.requested).toEqual([oauth, ...openId, KEYS_URL]);
  });

  test.each<[string, string, () => Response]>([
    ['metadata of another issuer', 'metadata', () => Response.json({ issuer: 'https://evil.example.com', jwks_uri: KEYS_URL })],
    ['metadata without keys', 'metadata', () => Response.json({ issuer: ISSUER })],
    ['a redirect', 'keys', () => new Response(null, { status: 302, headers: { location: 'https://keys.example.com/other' } })],
    ['an error page', 'keys', () => new Response('<html>', { status: 200 })],
    ['no key set', 'keys', () => Response.json({ keys: 'none' })],
    ['a body without end', 'keys', () => new Response(new ReadableStream({ pull: (c) => c.enqueue(new Uint8Array(64 * 1024).fill(32)) }))],
  ])('are not taken from %s', async (_, which, response) => {
    const url = which === 'keys' ? KEYS_URL : 'https://issuer.example.com/.well-known/oauth-authorization-server/tenant';
    issuer.documents[url] = response;
    expect(await createVerifier()(await token())).toEqual({ retryAfterSeconds: 5 });
  });

  test('are not taken over a connection without TLS, except from a URL that the operator has set', async () => {
    const { documents } = issuer;
    const url = KEYS_URL.replace('https:', 'http:');
    documents[url] = documents[KEYS_URL] as () => Response;
    documents['https://issuer.example.com/.well-known/oauth-authorization-server/tenant'] = () =>
      Response.json({ issuer: ISSUER, jwks_uri: url });
    const verify = createVerifier();
    expect(await verify(await token())).toEqual({ retryAfterSeconds: 5 });
    expect(issuer.requested).not.toContain(url);
    expect(verify.lines.join()).toMatch(/issuer_unreachable.*without TLS.*MCP_OAUTH_JWKS_URL/);
    expect(await createVerifier({ jwksUrl: url })(await token())).toEqual(accepted);
  });

  test('may stand beside others that nobody understands (RFC 7517 section 5)', async () => {
    const { keys } = (await (issuer.documents[KEYS_URL] ?? Response.error)().json()) as { keys: object[] };
    issuer.documents[KEYS_URL] = () => Response.json({ keys: [{ kid: 'no type' }, 'no object', { kty: 'AKP', kid: 'new' }, ...keys] });
    expect(await createVerifier()(await token())).toEqual(accepted);
  });

  test('that are too weak are as good as none', async () => {
    const weak = { kty: 'RSA', kid: 'weak', alg: 'RS256', use: 'sig', e: 'AQAB', n: 'x'.repeat(86) };
    issuer.documents[KEYS_URL] = () => Response.json({ keys: [weak] });
    expect(await createVerifier()(await token({}, { kid: 'weak' }, rsa))).toEqual({ problem: 'unknown_key' });
  });
});
