import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

export type AuthorizationServer = Readonly<{
  issuer: string;
  /** The paths that were requested. */
  requested: string[];
  /** From now on, nothing is answered before this resolves. */
  holdUntil: (released: Promise<void>) => void;
  close: () => Promise<void>;
}>;

export type AuthorizationServerOptions = Readonly<{
  scopes: readonly string[];
  /** Of the access tokens, whatever resource the client names. */
  audience: string;
  /** Client-ID metadata documents by URL. */
  clientDocuments: Readonly<Record<string, object>>;
}>;

/**
 * A real authorization server: PKCE, dynamic client registration (RFC 7591) and client-ID metadata documents, resource
 * indicators (RFC 8707), access tokens as JWTs (RFC 9068). Any name signs in, with any password.
 */
export async function startAuthorizationServer({
  scopes,
  audience,
  clientDocuments,
}: AuthorizationServerOptions): Promise<AuthorizationServer> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig', kid: 'first' }] },
    cookies: { keys: ['of the tests'] },
    scopes: ['openid', 'offline_access', ...scopes],
    responseTypes: ['code'],
    clientDefaults: { token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'] },
    ttl: Object.fromEntries(['AccessToken', 'Grant', 'Interaction', 'RefreshToken', 'Session'].map((name) => [name, 600])),
    findAccount: (_: unknown, accountId: string) => ({ accountId, claims: () => ({ sub: accountId }) }),
    // Nothing but metadata documents is fetched.
    fetch: async (url: URL | string) => {
      const document = clientDocuments[String(url)];
      return document ? Response.json(document) : new Response('', { status: 404 });
    },
    features: {
      devInteractions: { enabled: true },
      registration: { enabled: true },
      clientIdMetadataDocument: { enabled: true, ack: 'draft-02' },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          audience,
          scope: scopes.join(' '),
          accessTokenFormat: 'jwt',
          accessTokenTTL: 600,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  });
  const requested: string[] = [];
  const handle = provider.callback();
  let held = Promise.resolve();
  server.on('request', async (request, response) => {
    requested.push((request.url ?? '').split('?', 1)[0] ?? '');
    await held;
    void handle(request, response);
  });
  return {
    issuer,
    requested,
    holdUntil: (released) => {
      held = released;
    },
    close: async () => {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}
