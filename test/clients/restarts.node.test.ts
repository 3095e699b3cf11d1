import { describe, expect, test } from 'vitest';
import { startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { CLIENT_KEY, recordedRequests, setVideos, testEnvironment } from '../support.ts';
import { sdkClients } from './connect.ts';

describe.each(Object.entries({ Node: startNodeGateway, workerd: startWorkerdGateway }))('a video on %s', (_, start) => {
  const { connect } = sdkClients['SDK 2.x, pinned'];

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
