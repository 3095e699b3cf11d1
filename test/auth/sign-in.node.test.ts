import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connectSdk } from '../clients/connect.ts';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { type AuthorizationServer, startAuthorizationServer } from '../stand-ins/authorization-server.ts';
import { signInAt } from '../stand-ins/user-agent.ts';
import { CLIENT_HEADERS, eventually, testEnvironment } from '../support.ts';

const REDIRECT_URL = 'http://127.0.0.1/callback';
const CLIENT_ID_URL = 'https://client.example.com/metadata.json';
const CLIENT = { client_name: 'test', redirect_uris: [REDIRECT_URL], token_endpoint_auth_method: 'none' };
const AUDIENCE = 'api://gateway';

let issuer: AuthorizationServer;

beforeAll(async () => {
  issuer = await startAuthorizationServer({
    scopes: ['mcp'],
    audience: AUDIENCE,
    clientDocuments: { [CLIENT_ID_URL]: { ...CLIENT, client_id: CLIENT_ID_URL } },
  });
});
afterAll(() => issuer.close());

const environment = () =>
  testEnvironment({
    MCP_SERVER_API_KEY: '',
    MCP_OAUTH_ISSUER: issuer.issuer,
    MCP_OAUTH_AUDIENCE: AUDIENCE,
    MCP_OAUTH_SCOPES: 'mcp',
  });

/** What the SDKs ask of a program that signs its user in: to keep what they give it, and to show a page. */
function createProvider(login: string, clientMetadataUrl?: string) {
  const kept: { client?: object; tokens?: { access_token: string }; verifier?: string; callback?: URL; discovery?: object } = {};
  const keep = (more: typeof kept): void => void Object.assign(kept, more);
  return {
    kept,
    ...(clientMetadataUrl && { clientMetadataUrl }),
    redirectUrl: REDIRECT_URL,
    clientMetadata: { ...CLIENT, grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] },
    clientInformation: () => kept.client,
    saveClientInformation: (client: object) => keep({ client }),
    discoveryState: () => kept.discovery,
    saveDiscoveryState: (discovery: object) => keep({ discovery }),
    tokens: () => kept.tokens,
    saveTokens: (tokens: { access_token: string }) => keep({ tokens }),
    codeVerifier: () => kept.verifier ?? '',
    saveCodeVerifier: (verifier: string) => keep({ verifier }),
    redirectToAuthorization: async (url: URL) => keep({ callback: await signInAt(url, login, REDIRECT_URL) }),
  };
}

type Provider = ReturnType<typeof createProvider>;

/** Connects with the client of the SDK 2.x, which is refused, signs in, and connects again. */
async function connectSignedIn(url: string, provider: Provider): Promise<Client> {
  const create = () => new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { authProvider: provider as never });
  const refused = create();
  await expect(new Client({ name: 'test', version: '1' }).connect(refused)).rejects.toThrow(UnauthorizedError);
  await refused.finishAuth(provider.kept.callback?.searchParams ?? new URLSearchParams());
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  await client.connect(create());
  return client;
}

describe.each([
  ['Node', startNodeGateway],
  ['workerd', startWorkerdGateway],
])('on %s', (_, start) => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await start(environment());
  });
  afterAll(() => gateway.close());

  test('a client registers itself, signs its user in, and calls a tool', async () => {
    issuer.requested.length = 0;
    const client = await connectSignedIn(gateway.url, createProvider('alice'));
    const result = await client.callTool({ name: 'chat_completion', arguments: { prompt: 'hello' } });
    expect(result.structuredContent).toMatchObject({ text: expect.any(String) });
    expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28');
    expect(issuer.requested).toEqual(expect.arrayContaining(['/reg', '/auth', '/token', '/jwks']));
    await client.close();
  });

  test('a client with a client-ID metadata document needs no registration', async () => {
    issuer.requested.length = 0;
    const client = await connectSignedIn(gateway.url, createProvider('alice', CLIENT_ID_URL));
    expect((await client.listTools()).tools).not.toEqual([]);
    expect(issuer.requested).not.toContain('/reg');
    await client.close();
  });

  test.each([
    ['Streamable HTTP', '/mcp', OldTransport],
    ['SSE', '/sse', SSEClientTransport],
  ])('a client of 2025 signs in, over %s', async (_, path, Transport) => {
    const provider = createProvider('bob');
    const create = () => new Transport(new URL(`${gateway.url}${path}`), { authProvider: provider as never });
    const refused = create();
    await expect(connectSdk(refused)).rejects.toThrow('Unauthorized');
    await refused.finishAuth(provider.kept.callback?.searchParams.get('code') ?? '');
    const client = await connectSdk(create());
    expect((await client.callTool('chat_completion', { prompt: 'hello' })).structuredContent).toMatchObject({ text: expect.any(String) });
    await client.close();
  });

  describe('a gateway that has no keys yet', () => {
    let fresh: RunningGateway;
    let accessToken: string;

    beforeEach(async () => {
      const provider = createProvider('alice');
      await (await connectSignedIn(gateway.url, provider)).close();
      accessToken = provider.kept.tokens?.access_token ?? '';
      fresh = await start(environment());
      issuer.requested.length = 0;
    });
    afterEach(() => fresh.close());

    const keyRequests = () => issuer.requested.filter((path) => path === '/jwks');
    const ask = (signal: AbortSignal | null = null) =>
      fetch(`${fresh.url}/mcp`, {
        method: 'POST',
        headers: { ...CLIENT_HEADERS, authorization: `Bearer ${accessToken}` },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
        signal,
      });

    test('serves many requests at once, and fetches them once', async () => {
      const responses = await Promise.all(Array.from({ length: 30 }, () => ask()));
      expect(responses.map(({ status }) => status)).toEqual(responses.map(() => 200));
      expect(keyRequests()).toHaveLength(1);
    });

    test('has them although the client has left for which they were fetched', async () => {
      const { promise, resolve: release } = Promise.withResolvers<void>();
      issuer.holdUntil(promise);
      const leaving = new AbortController();
      const left = ask(leaving.signal).catch(() => 'left');
      await eventually(() => issuer.requested.length > 0);
      const waiting = ask();
      leaving.abort();
      expect(await left).toBe('left');
      release();
      expect((await waiting).status).toBe(200);
      expect(keyRequests()).toHaveLength(1);
    });
  });
});
