import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { CLIENT_KEY, type createTestApp, MODERN } from '../support.ts';

/** The SDK's client, connected to an app without a socket; by default, with the newest revision. */
export async function connectClient(
  { app }: Pick<ReturnType<typeof createTestApp>, 'app'>,
  mode: 'legacy' | { pin: string } = { pin: MODERN },
  key = CLIENT_KEY,
) {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
  const fetchApp = async (url: string | URL, init?: RequestInit) => app.request(String(url), init);
  const requestInit = { headers: { authorization: `Bearer ${key}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL('http://localhost/mcp'), { fetch: fetchApp, requestInit }));
  return client;
}
