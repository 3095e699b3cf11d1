import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export const ISSUER = 'https://issuer.example.com/tenant';
export const KEYS_URL = 'https://keys.example.com/jwks';
const METADATA_URL = 'https://issuer.example.com/.well-known/oauth-authorization-server/tenant';

export type SigningKey = Readonly<{ kid: string; alg: string; privateKey: CryptoKey; publicKey: CryptoKey; jwk: JWK }>;

export async function createKey(kid: string, alg = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** An issuer whose documents the test chooses, behind `fetch`: other requests go on to where they should. */
export function createIssuer(...keys: SigningKey[]) {
  const documents: Record<string, () => Response> = {
    [METADATA_URL]: () => Response.json({ issuer: ISSUER, jwks_uri: KEYS_URL }),
    [KEYS_URL]: () => Response.json({ keys: issuer.keys.map(({ jwk }) => jwk) }),
  };
  const issuer = {
    keys,
    documents,
    /** The URLs that were requested. */
    requested: [] as string[],
    isDown: false,
    fetch: async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
      const url = String(input);
      if (!/^https?:\/\/(issuer|keys)\.example\.com\//.test(url)) return fetch(input, init);
      issuer.requested.push(url);
      if (issuer.isDown) throw new TypeError('fetch failed');
      return documents[url]?.() ?? new Response('', { status: 404 });
    },
  };
  return issuer;
}

/** An access token for the tests' gateway; `claims` and `header` replace what it has by default. */
export async function createToken(key: SigningKey, nowMs: number, claims: object = {}, header: object = {}): Promise<string> {
  const now = Math.floor(nowMs / 1000);
  return new SignJWT({ iss: ISSUER, aud: 'api://gateway', sub: 'alice', scope: 'mcp', iat: now, exp: now + 600, ...claims })
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt', ...header })
    .sign(key.privateKey);
}
