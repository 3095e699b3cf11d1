import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { CLIENT_KEY, setVideos, testEnvironment } from '../support.ts';
import { calls, revisionOf } from './calls.ts';
import { clients, mcpRemoteCommand } from './connect.ts';

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

  test.each(['http-only', 'sse-only'] as const)('mcp-remote (%s) with a wrong key shows what is wrong', async (transport) => {
    const { command, args, env } = mcpRemoteCommand(`${gateway.url}/mcp`, 'not-the-key', transport);
    const { code, stderr } = await promisify(execFile)(command, args, { env }).catch((error) => error);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /Fatal error: .*The key in the Authorization header is missing or wrong, and this gateway has no OAuth sign-in\./,
    );
  });
});
