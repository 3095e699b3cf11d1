import { ContainerClient } from '@azure/storage-blob';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { CLIENT_KEY, newAccount, queueFaults, recordedRequests, setVideos, testEnvironment } from '../support.ts';

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

describe.each(Object.entries({ Node: startNodeGateway, workerd: startWorkerdGateway }))('%s', (runtime, start) => {
  const account = newAccount();
  const folder = crypto.randomUUID();
  const container = new ContainerClient(inject('storage').connectionString, inject('storage').container);
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await start(testEnvironment({ OPENAI_API_KEY: account, AZURE_BLOB_PATH_PREFIX: folder }));
  });
  afterAll(() => gateway.close());
  const last = async () => (await recordedRequests(account)).at(-1);

  test.each(Object.entries(ways))('the upstream call ends within a second when %s', async (way, begin) => {
    const before = (await recordedRequests(account)).length;
    await queueFaults(account, [{ at: 'chat', delayMs: 8_000 }]);
    const leave = await begin(gateway.url, SLOW_CALL);
    await vi.waitUntil(async () => (await recordedRequests(account)).length > before);
    // Longer than a fast call takes: what is open now is a slow one.
    await wait(1_000);
    const leftAtMs = Date.now();
    leave();
    await vi.waitUntil(async () => (await last())?.brokenOffAtMs, { timeout: 5_000 });
    const afterMs = ((await last())?.brokenOffAtMs ?? 0) - leftAtMs;
    console.log(`${runtime}: ${way}: the upstream call ended after ${afterMs} ms`);
    expect(afterMs).toBeLessThan(1_000);
  });

  test('the polling of a video ends when its client goes away', async () => {
    await setVideos(account, { jobSeconds: 600 });
    const polls = async () =>
      (await recordedRequests(account)).filter(({ method, path }) => method === 'GET' && path.includes('/videos/')).length;
    const leave = await modern(true)(gateway.url, { name: 'generate_video', arguments: { prompt: 'a lamp' } });
    await vi.waitUntil(async () => (await polls()) > 0, { timeout: 10_000 });
    leave();
    await wait(1_000);
    const before = await polls();
    await wait(5_000);
    expect(await polls()).toBe(before);
  });

  test('speech that is paid for is stored, however its client goes away', async () => {
    const stored = async () => {
      const names: string[] = [];
      for await (const { name } of container.listBlobsFlat({ prefix: `${folder}/audio/` })) names.push(name);
      return names;
    };
    const all = Object.entries(ways);
    await queueFaults(
      account,
      all.map(() => ({ at: 'speech', pauseMs: 3_000 })),
    );
    const speech = (way: string) => ({ name: 'synthesize_speech', arguments: { input: way } });
    const leave = await Promise.all(all.map(([way, begin]) => begin(gateway.url, speech(way))));
    await wait(1_000);
    for (const go of leave) go();
    await wait(1_000);
    expect(await stored()).toEqual([]);
    await vi.waitUntil(async () => (await stored()).length === all.length, { timeout: 8_000 });
  });
});

test('a legacy client finds its way back after the gateway was started anew', async () => {
  const env = testEnvironment();
  const first = await startNodeGateway(env);
  const client = new LegacyClient({ name: 'test', version: '1' });
  await client.connect(new SSEClientTransport(new URL(`${first.url}/mcp`), { requestInit }));
  await first.close();
  const second = await startNodeGateway({ ...env, PORT: new URL(first.url).port });
  const call = () => client.callTool({ name: 'list_supported_models' }, undefined, { timeout: 1_000 }).catch(() => undefined);
  await vi.waitUntil(async () => (await call())?.structuredContent, { timeout: 15_000, interval: 500 });
  await client.close();
  await second.close();
});
