import { expect, test } from 'vitest';
import { startWorkerdGateway } from '../gateways.ts';
import { eventually, startCall, testEnvironment } from '../support.ts';

const ALICE = 'key-of-alice-0123456789abcdef';
const BOB = 'key-of-bob-0123456789abcdef';
const ADMIN = 'key-of-the-operator-0123456789';

test('the Worker reports what was used, by the Durable Object of the gateway', async () => {
  const { url, close } = await startWorkerdGateway(
    testEnvironment({
      MCP_SERVER_API_KEYS: JSON.stringify({ alice: { key: ALICE, budget_usd_per_day: 5 }, bob: BOB }),
      MCP_ADMIN_KEY: ADMIN,
      MODEL_PRICES: JSON.stringify({ 'gpt-6-luna': 'gpt-6-luna', 'gpt-image-2': 'gpt-image-2' }),
    }),
  );
  const call = (key: string, name: string, args: object) =>
    startCall((request) => fetch(request), name, args, { url, headers: { authorization: `Bearer ${key}` } }).result;
  const report = async (key: string) => {
    const response = await fetch(`${url}/usage`, { headers: { authorization: `Bearer ${key}` } });
    // biome-ignore lint/suspicious/noExplicitAny: the test looks at all of it.
    return (await response.json()) as any;
  };
  try {
    const chat = await call(ALICE, 'chat_completion', { prompt: 'Hello' });
    const image = await call(BOB, 'generate_image', { prompt: 'a lamp', size: '64x64' });
    const all = await eventually(async () => {
      const found = await report(ADMIN);
      return found.totals.calls === 2 && found;
    });
    expect(all.totals.cost_usd).toBeCloseTo(chat.structuredContent.cost_usd + image.structuredContent.cost_usd, 9);
    expect(all.by_principal.map(({ principal }: { principal: string }) => principal)).toEqual(['bob', 'alice']);
    const own = await eventually(async () => {
      const found = await report(ALICE);
      return found.budget.spent_usd > 0 && found;
    });
    expect(own).toMatchObject({
      scope: 'principal',
      totals: { calls: 1, cost_usd: chat.structuredContent.cost_usd },
      budget: { limit_usd: 5, spent_usd: chat.structuredContent.cost_usd },
      by_tool: [{ tool: 'chat_completion' }],
    });
    expect(own.days).toHaveLength(31);
    expect((await (await fetch(`${url}/usage`, { headers: { accept: 'text/html' } })).text()).startsWith('<!doctype html>')).toBe(true);
  } finally {
    await close();
  }
});
