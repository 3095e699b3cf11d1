import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { CLIENT_KEY, setVideos, testEnvironment } from '../support.ts';
import { calls, revisionOf } from './calls.ts';
import { clients } from './connect.ts';

/** Each client once, with as many calls as one start of it can make; `npm run test:clients` makes all of them. */
describe.each(Object.entries({ Node: startNodeGateway, workerd: startWorkerdGateway }))('%s', (_, start) => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    const env = testEnvironment();
    await setVideos(env.OPENAI_API_KEY ?? '', { jobSeconds: 1 });
    gateway = await start(env);
  });
  afterAll(() => gateway?.close());

  test.concurrent.each(Object.entries(clients))('%s', async (name, connect) => {
    const client = await connect(gateway.url, CLIENT_KEY);
    expect(client.protocol ?? revisionOf(name)).toBe(revisionOf(name));
    expect((await client.listTools()).map((tool) => tool.name)).toEqual(Object.keys(calls));
    if (!client.startsForEachCall)
      await Promise.all(Object.entries(calls).map(async ([tool, { args, check }]) => check(await client.callTool(tool, args))));
    await client.close();
  });
});
