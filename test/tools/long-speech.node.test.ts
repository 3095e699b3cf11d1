import { parseBuffer } from 'music-metadata';
import { describe, expect, test } from 'vitest';
import { sdkClients } from '../clients/connect.ts';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { CLIENT_KEY, type Environment, eventually, queueFaults, recordedRequests, startCall, testEnvironment } from '../support.ts';

const INPUT = 'The lamp of the lighthouse turns all night long. '.repeat(400);
const PIECES = 11;

const requestsOf = ({ OPENAI_API_KEY = '' }: Environment) => recordedRequests(OPENAI_API_KEY);

async function durationOf(url: string): Promise<number | undefined> {
  const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
  return (await parseBuffer(bytes, undefined, { duration: true })).format.duration;
}

describe.each(Object.entries({ Node: startNodeGateway, workerd: startWorkerdGateway }))('on %s', (_, start) => {
  test.each(['SDK 1.x', 'SDK 1.x, /sse', 'SDK 2.x, pinned'] as const)('%s gets long speech by both APIs', async (name) => {
    const env = testEnvironment();
    const gateway = await start(env);
    const client = await sdkClients[name].connect(gateway.url, CLIENT_KEY);
    for (const model of ['gpt-4o-mini-tts', 'gpt-audio-1.5']) {
      const { structuredContent } = await client.callTool('synthesize_speech', { input: INPUT, model });
      expect(structuredContent).toMatchObject({ format: 'mp3', model, characters: INPUT.length });
      // 64 frames of 24 ms for every 200 characters of a piece.
      const said = (await requestsOf(env)).map(({ body }) => body as { model: string; input?: string; messages?: { content: string }[] });
      const texts = said.filter((body) => body.model === model).map(({ input, messages }) => input ?? messages?.at(-1)?.content ?? '');
      expect(texts).toHaveLength(PIECES);
      const seconds = texts.reduce((total, { length }) => total + Math.ceil(length / 200) * 64 * 0.024, 0);
      expect(await durationOf(structuredContent.url)).toBeCloseTo(seconds, 2);
    }
    await client.close();
    await gateway.close();
  });
});

test('after SIGKILL, another process makes only what had not been stored', async () => {
  const env = testEnvironment();
  await queueFaults(env.OPENAI_API_KEY ?? '', [{}, {}, {}, {}, { hold: 'all' }, { hold: 'all' }, { hold: 'all' }]);
  const call = ({ url }: RunningGateway) => startCall(fetch, 'synthesize_speech', { input: INPUT }, { url });
  const first = await startNodeGateway(env);
  const killed = call(first);
  // Three are under way, so four are stored.
  await eventually(async () => (await requestsOf(env)).length === 7);
  await first.close();
  await expect(killed.result).rejects.toThrow();
  const second = await startNodeGateway(env);
  expect((await call(second).result).content[0]?.text).toContain('job_interrupted');
  expect(await requestsOf(env)).toHaveLength(7);
  const { structuredContent } = await call(second).result;
  expect(structuredContent).toMatchObject({ characters: INPUT.length, warning: expect.stringContaining('interrupted') });
  expect(await requestsOf(env)).toHaveLength(PIECES + 3);
  await second.close();
});
