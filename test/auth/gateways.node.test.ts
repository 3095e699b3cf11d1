import { expect, test } from 'vitest';
import { sdkClients } from '../clients/connect.ts';
import { startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { eventually, queueFaults, recordedRequests, release, testEnvironment } from '../support.ts';

const SINGLE = 'the-single-key-of-the-tests';
const ALICE = 'key-of-alice-in-the-tests';
const BOB = 'key-of-bob-in-the-tests';
const IMAGE = { prompt: 'a lighthouse', size: '64x64' };
const { 'SDK 1.x': legacy, 'SDK 1.x, /sse': sse, 'SDK 2.x, pinned': modern } = sdkClients;

test.each([
  ['Node', startNodeGateway],
  ['workerd', startWorkerdGateway],
])('on %s, clients with different keys have their own tools and jobs', async (_, start) => {
  const account = `account-${crypto.randomUUID()}`;
  const MCP_SERVER_API_KEYS = JSON.stringify({
    alice: { key: ALICE, tools: ['generate_image', 'list_media'] },
    // `printf %s key-of-bob-in-the-tests | sha256sum`
    bob: { sha256: '4a6d4a6dd57570d92fd144d6c1acddeb0d9ea6a96a5c09eea93abb8f126c723e', tools: ['generate_image'] },
  });
  const env = testEnvironment({ MCP_SERVER_API_KEY: SINGLE, MCP_SERVER_API_KEYS, OPENAI_API_KEY: account });
  const gateway = await start(env);
  const namesFor = async (client: typeof legacy | typeof sse | typeof modern, key: string) => {
    const { listTools, close } = await client.connect(gateway.url, key);
    const names = (await listTools()).map(({ name }) => name);
    await close();
    return names;
  };
  for (const client of [legacy, sse, modern]) {
    expect(await namesFor(client, ALICE)).toEqual(['generate_image', 'list_media']);
    expect(await namesFor(client, BOB)).toEqual(['generate_image']);
    expect((await namesFor(client, SINGLE)).length).toBeGreaterThan(5);
    await expect(client.connect(gateway.url, `${ALICE}x`)).rejects.toThrow();
  }
  const [alice, bob, other] = await Promise.all([
    modern.connect(gateway.url, ALICE),
    legacy.connect(gateway.url, BOB),
    sse.connect(gateway.url, SINGLE),
  ]);
  await queueFaults(account, [{ at: '/images', hold: 'all' }]);
  const { job_id } = (await alice.callTool('generate_image', { ...IMAGE, wait_seconds: 0 })).structuredContent;
  for (const stranger of [bob, other])
    expect((await stranger.callTool('generate_image', { job_id })).content[0]?.text).toContain('(job_unknown');
  await eventually(async () => (await recordedRequests(account)).length > 0);
  await release(account);
  expect((await alice.callTool('generate_image', { job_id })).structuredContent.images).toHaveLength(1);
  await expect(bob.callTool('list_media', {})).rejects.toThrow('Unknown tool list_media; available: generate_image');
  expect(await recordedRequests(account)).toHaveLength(1);
  await Promise.all([alice, bob, other].map(({ close }) => close()));
  await gateway.close();
});
