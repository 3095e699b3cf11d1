import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { CLIENT_KEY, setVideos, testEnvironment } from '../support.ts';
import { argsOf, calls } from './calls.ts';
import { sdkClients } from './connect.ts';

/** The clients of the MCP SDKs; `npm run test:clients` installs the others, and calls every tool with each. */
describe.each(Object.entries({ Node: startNodeGateway, workerd: startWorkerdGateway }))('%s', (_, start) => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    const env = testEnvironment();
    await setVideos(env.OPENAI_API_KEY ?? '', { jobSeconds: 1 });
    gateway = await start(env);
  });
  afterAll(() => gateway?.close());

  test.concurrent.each(Object.entries(sdkClients))('%s', async (_name, { connect, revision }) => {
    const client = await connect(gateway.url, CLIENT_KEY);
    expect(client.protocol).toBe(revision);
    expect((await client.listTools()).map((tool) => tool.name)).toEqual(Object.keys(calls));
    // All tools of all clients at once are more than the memory of an isolate.
    for (const [tool, call] of Object.entries(calls)) await call.check(await client.callTool(tool, await argsOf(call)));
    await client.close();
  });
});
