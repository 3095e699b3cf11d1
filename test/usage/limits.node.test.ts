import { expect, test } from 'vitest';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { eventually, queueFaults, recordedRequests, release, startCall, testEnvironment } from '../support.ts';

const KEY = 'key-of-alice-for-the-tests';
const LIMITS = { key: KEY, budget_usd_per_day: 0.25, calls_per_minute: 12, concurrent_calls: 3 };

function environment() {
  return testEnvironment({
    MODEL_PRICES: JSON.stringify({ 'gpt-image-2': { image: 0.1 }, 'gpt-6-luna': 'gpt-6-luna' }),
    MCP_SERVER_API_KEYS: JSON.stringify({ alice: LIMITS }),
  });
}

const GATEWAYS: [string, (env: Record<string, string>) => Promise<RunningGateway>][] = [
  ['Node', startNodeGateway],
  ['workerd', startWorkerdGateway],
];

test.each(GATEWAYS)('a process on %s holds all limits of a principal at once', async (_, start) => {
  const env = environment();
  const account = env.OPENAI_API_KEY ?? '';
  const gateway = await start(env);
  const call = (tool: string, args: object) =>
    startCall((request) => fetch(request), tool, args, { url: gateway.url, headers: { authorization: `Bearer ${KEY}` } });
  const textOf = async (calling: ReturnType<typeof call>) => (await calling.result).content[0]?.text ?? '';
  try {
    // 3 at once: 2 fit into the budget.
    const images = await Promise.all(
      [1, 2, 3].map((number) => textOf(call('generate_image', { prompt: `lamp ${number}`, size: '64x64' }))),
    );
    expect(images.filter((text) => text.includes('(over_budget,')).length).toBe(1);
    expect((await recordedRequests(account)).filter(({ path }) => path.includes('images')).length).toBe(2);

    await queueFaults(account, [{ hold: 'all' }, { hold: 'all' }, { hold: 'all' }]);
    const held = [1, 2, 3].map((number) => call('chat_completion', { prompt: `Hello ${number}`, max_completion_tokens: 10 }));
    await eventually(async () => (await recordedRequests(account)).filter(({ path }) => path.includes('chat')).length === 3);
    expect(await textOf(call('list_supported_models', {}))).toContain('(too_many_calls,');
    await release(account);
    for (const { result } of held) expect((await result).isError).toBeUndefined();

    const statuses: number[] = [];
    while (!statuses.includes(429)) {
      const { response } = call('list_supported_models', {});
      const { status, headers } = await response;
      statuses.push(status);
      if (status === 429) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      else expect(headers.get('ratelimit-policy')).toBe('"calls";q=12;w=60');
    }
    expect(statuses.length).toBeLessThanOrEqual(12 - 7 + 1);
  } finally {
    await gateway.close();
  }
});
