import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { CLIENT_KEY, setVideos, testEnvironment } from '../support.ts';
import { calls, revisionOf } from './calls.ts';
import { type ConnectedClient, clients } from './connect.ts';

/** What the run has shown: client × runtime × tool, in milliseconds. */
const matrix: Record<string, Record<string, string>> = {};
afterAll(() => console.table(matrix));

describe.each(Object.entries({ Node: startNodeGateway, workerd: startWorkerdGateway }))('%s', (runtime, start) => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    const env = testEnvironment();
    await setVideos(env.OPENAI_API_KEY ?? '', { jobSeconds: 1 });
    gateway = await start(env);
  });
  afterAll(() => gateway?.close());

  describe.concurrent.each(Object.entries(clients))('%s', (name, connect) => {
    let client: ConnectedClient;
    beforeAll(async () => {
      client = await connect(gateway.url, CLIENT_KEY);
    });
    afterAll(() => client?.close());

    test('connects with its own protocol revision, and lists the tools', async () => {
      expect(client.protocol ?? revisionOf(name)).toBe(revisionOf(name));
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
      await expect(connect(gateway.url, 'wrong').then((client) => client.listTools())).rejects.toThrow();
    });
  });
});
