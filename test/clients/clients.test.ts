import { parseBuffer } from 'music-metadata';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { CLIENT_KEY, recordedRequests, setVideos, type ToolResult, testEnvironment } from '../support.ts';
import { type Connect, type ConnectedClient, clients } from './connect.ts';

const runtimes = { Node: startNodeGateway, workerd: startWorkerdGateway };
const read = async (url: string) => new Uint8Array(await (await fetch(url)).arrayBuffer());

/** One call of each tool, and what its result must hold; media is read by an anonymous GET of its URL. */
const calls: Record<string, { args: Record<string, unknown>; check: (result: ToolResult) => Promise<void> | void }> = {
  chat_completion: {
    args: { prompt: 'Hello', max_completion_tokens: 500 },
    check: ({ structuredContent }) => expect(structuredContent.text).toBe('The stand-in was asked: Hello'),
  },
  generate_image: {
    args: { prompt: 'a lamp', size: '256x128', output_format: 'webp' },
    check: async ({ structuredContent }) =>
      expect(await sharp(await read(structuredContent.images[0].url)).metadata()).toMatchObject({
        format: 'webp',
        width: 256,
        height: 128,
      }),
  },
  synthesize_speech: {
    args: { input: 'Hello', response_format: 'opus' },
    check: async ({ structuredContent }) =>
      expect((await parseBuffer(await read(structuredContent.url))).format).toMatchObject({ container: 'Ogg', codec: 'Opus' }),
  },
  generate_video: {
    args: { prompt: 'a lamp' },
    check: async ({ structuredContent }) =>
      expect((await parseBuffer(await read(structuredContent.video.url))).format).toMatchObject({ hasVideo: true }),
  },
  list_supported_models: {
    args: { verify: true },
    check: ({ structuredContent }) =>
      expect(structuredContent.models[0]).toMatchObject({ capability: 'chat', available: true, exists: true }),
  },
};

/** What the run has shown: client × runtime × tool, in milliseconds. */
const matrix: Record<string, Record<string, string>> = {};
afterAll(() => console.table(matrix));

describe.each(Object.entries(runtimes))('%s', (runtime, start) => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    const env = testEnvironment();
    await setVideos(env.OPENAI_API_KEY ?? '', { jobSeconds: 1 });
    gateway = await start(env);
  });
  afterAll(() => gateway.close());

  describe.concurrent.each(Object.entries(clients))('%s', (name, connect) => {
    let client: ConnectedClient;
    beforeAll(async () => {
      client = await connect(gateway.url, CLIENT_KEY);
    });
    afterAll(() => client?.close());

    test('connects with its own protocol revision, and lists the tools', async () => {
      const revision = /2026|negotiating/.test(name) ? '2026-07-28' : /sse/i.test(name) ? '2024-11-05' : '2025-11-25';
      expect(client.protocol ?? revision).toBe(revision);
      expect((await client.listTools()).map((tool) => tool.name)).toEqual(Object.keys(calls));
    });

    test.each(Object.entries(calls))('%s', async (tool, { args, check }) => {
      const row = `${name} × ${runtime}`;
      matrix[row] = { ...matrix[row], [tool]: 'failed' };
      const startMs = performance.now();
      await check(await client.callTool(tool, args));
      matrix[row] = { ...matrix[row], [tool]: `ok ${Math.round(performance.now() - startMs)} ms` };
    });

    test('a wrong argument is an error of the tool', async () => {
      expect(await client.callTool('chat_completion', { prompt: 'Hello', temperature: 9 })).toMatchObject({
        isError: true,
        content: [{ text: expect.stringContaining('temperature') }],
      });
    });

    test('a wrong key is refused', async () => {
      await expect(connect(gateway.url, 'wrong')).rejects.toThrow();
    });
  });
});

describe.each(Object.entries(runtimes))('a video on %s', (_, start) => {
  const connect = clients['SDK 2.x, 2026-07-28'] as Connect;

  test('outlives the client that was cut off and the server that was stopped; it is created and downloaded once', async () => {
    const env = testEnvironment();
    const account = env.OPENAI_API_KEY ?? '';
    await setVideos(account, { jobSeconds: 4 });
    const first = await start(env);
    const videoId = await startAndCutOff(first.url);
    await first.close();

    const second = await start(env);
    const client = await connect(second.url, CLIENT_KEY);
    const goOn = () => client.callTool('generate_video', { video_id: videoId });
    expect((await goOn()).structuredContent).toMatchObject({
      status: 'completed',
      video_id: videoId,
      video: { content_type: 'video/mp4' },
    });
    expect((await goOn()).structuredContent.status).toBe('completed');
    await client.close();
    await second.close();
    const requests = await recordedRequests(account);
    expect(requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
    expect(requests.filter(({ query }) => query === '?variant=video')).toHaveLength(1);
  });
});

/** Starts a video, reads the first progress message, which has the id, and breaks the connection. */
async function startAndCutOff(url: string): Promise<string> {
  const connection = new AbortController();
  const headers = {
    authorization: `Bearer ${CLIENT_KEY}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };
  const params = { name: 'generate_video', arguments: { prompt: 'a lamp' }, _meta: { progressToken: 1 } };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  const response = await fetch(`${url}/mcp`, { method: 'POST', headers, body, signal: connection.signal });
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    const id = /"message":"(video_\w+): started/.exec(text)?.[1];
    if (!id) continue;
    connection.abort();
    return id;
  }
  throw new Error('No progress message came.');
}

test('workerd with a wrong configuration answers 503, and names the variables', async () => {
  const gateway = await startWorkerdGateway({ PORT: 'not read here', OPENAI_CHAT_MODEL: 'a secret' });
  const response = await fetch(`${gateway.url}/mcp`, { method: 'POST' });
  expect(response.status).toBe(503);
  const { error } = (await response.json()) as { error: { message: string } };
  expect(error.message).toMatch(/^The gateway is not configured correctly\. MCP_SERVER_API_KEY is required; OPENAI_CHAT_MODEL must be /);
  expect(error.message).toMatch(/\. Its operator must set them \(npx wrangler secret put NAME/);
  expect(error.message).not.toMatch(/a secret|PORT/);
  await gateway.close();
});
