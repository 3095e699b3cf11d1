import { ContainerClient } from '@azure/storage-blob';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { CLIENT_KEY, eventually, newAccount, queueFaults, recordedRequests, release, setVideos, testEnvironment } from '../support.ts';

const requestInit = { headers: { Authorization: `Bearer ${CLIENT_KEY}` } };
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
type Call = { name: string; arguments: Record<string, unknown> };
const SLOW_CALL: Call = { name: 'chat_completion', arguments: { prompt: 'Hello' } };

/** What a client does to be rid of a call: each begins one and returns how to end it. */
type Begin = (origin: string, call: Call) => Promise<() => unknown>;

const post =
  (meta: object): Begin =>
  async (origin, call) => {
    const connection = new AbortController();
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { ...call, _meta: meta } });
    const headers = { ...requestInit.headers, 'content-type': 'application/json' };
    fetch(`${origin}/mcp`, { method: 'POST', headers, body, signal: connection.signal })
      .then((response) => response.text())
      .catch(() => {});
    return () => connection.abort();
  };

const modern =
  (wantsProgress: boolean): Begin =>
  async (origin, call) => {
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${origin}/mcp`), { requestInit }));
    const stop = new AbortController();
    client.callTool(call, { signal: stop.signal, ...(wantsProgress && { onprogress: () => {} }) }).catch(() => {});
    return () => stop.abort();
  };

const sse =
  (how: 'cancel' | 'close'): Begin =>
  async (origin, call) => {
    const client = new LegacyClient({ name: 'test', version: '1' });
    await client.connect(new SSEClientTransport(new URL(`${origin}/mcp`), { requestInit }));
    const stop = new AbortController();
    client.callTool(call, undefined, { signal: stop.signal }).catch(() => {});
    return () => (how === 'cancel' ? stop.abort() : client.close());
  };

const ways: Record<string, Begin> = {
  'a 2025-era request is broken off': post({}),
  'a 2025-era stream is broken off': post({ progressToken: 1 }),
  'a 2026-era client cancels a request': modern(false),
  'a 2026-era client closes the stream': modern(true),
  'a legacy client sends notifications/cancelled': sse('cancel'),
  'a legacy client closes its stream': sse('close'),
};

/** What is paid for: a call of each tool that makes it at once, and where it is stored. */
const paid = {
  speech: { folder: 'audio', toCall: (way: string): Call => ({ name: 'synthesize_speech', arguments: { input: way } }) },
  images: { folder: 'images', toCall: (way: string): Call => ({ name: 'generate_image', arguments: { prompt: way, size: '64x64' } }) },
};

describe.each(Object.entries({ Node: startNodeGateway, workerd: startWorkerdGateway }))('%s', (runtime, start) => {
  const account = newAccount();
  const folder = crypto.randomUUID();
  const container = new ContainerClient(inject('storage').connectionString, inject('storage').container);
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await start(testEnvironment({ OPENAI_API_KEY: account, AZURE_BLOB_PATH_PREFIX: folder }));
  });
  afterAll(() => gateway?.close());
  const requestsTo = async (path: string) => (await recordedRequests(account)).filter((request) => request.path.includes(path));

  test.each(Object.entries(ways))('the upstream call ends when %s', async (way, begin) => {
    const before = (await requestsTo('/chat/')).length;
    await queueFaults(account, [{ at: 'chat', hold: 'all' }]);
    const leave = await begin(gateway.url, SLOW_CALL);
    await eventually(async () => (await requestsTo('/chat/')).length > before);
    const leftAtMs = Date.now();
    leave();
    const endedAtMs = await eventually(async () => (await requestsTo('/chat/')).at(-1)?.brokenOffAtMs);
    console.log(`${runtime}: ${way}: the upstream call ended after ${(endedAtMs ?? 0) - leftAtMs} ms`);
  });

  test('the polling of a video ends when its client goes away', async () => {
    await setVideos(account, { jobSeconds: 600 });
    const polls = async () => (await requestsTo('/videos/')).filter(({ method }) => method === 'GET').length;
    const leave = await modern(true)(gateway.url, { name: 'generate_video', arguments: { prompt: 'a lamp' } });
    await eventually(async () => (await polls()) > 0);
    leave();
    // Until there has been none for longer than there ever is between two.
    await eventually(async () => {
      const before = await polls();
      await wait(5_000);
      return (await polls()) === before;
    });
  });

  test.each(Object.entries(paid))(
    'what is paid for is stored, however its client goes away: %s',
    async (path, { folder: kind, toCall }) => {
      const stored = () => Array.fromAsync(container.listBlobsFlat({ prefix: `${folder}/${kind}/` }), ({ name }) => name);
      const all = Object.entries(ways);
      await queueFaults(
        account,
        all.map(() => ({ at: path, hold: 'half' })),
      );
      const leave = await Promise.all(all.map(([way, begin]) => begin(gateway.url, toCall(way))));
      await eventually(async () => (await requestsTo(path)).length === all.length);
      for (const go of leave) go();
      // For the gateway to notice; nothing tells that it has.
      await wait(500);
      expect(await stored()).toEqual([]);
      await release(account);
      await eventually(async () => (await stored()).length === all.length);
      // Each was created once.
      expect(await requestsTo(path)).toHaveLength(all.length);
    },
  );
});

test('a legacy client finds its way back after the gateway was started anew', async () => {
  const env = testEnvironment();
  const first = await startNodeGateway(env);
  const client = new LegacyClient({ name: 'test', version: '1' });
  await client.connect(new SSEClientTransport(new URL(`${first.url}/mcp`), { requestInit }));
  await first.close();
  const second = await startNodeGateway({ ...env, PORT: new URL(first.url).port });
  // One whose answer goes to the stream that is gone has none.
  const call = () => client.callTool({ name: 'list_supported_models' }, undefined, { timeout: 5_000 }).catch(() => undefined);
  await eventually(async () => (await call())?.structuredContent);
  await client.close();
  await second.close();
});
