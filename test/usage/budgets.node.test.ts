import { expect, inject, test } from 'vitest';
import { GATEWAY } from '../../src/usage/accounts.ts';
import { dateOf } from '../../src/utc-day.ts';
import { startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { runBudget } from '../load/budget.ts';
import { openRecords } from '../load/budget-records.ts';
import { eventually, queueFaults, recordedRequests, startCall, testEnvironment } from '../support.ts';

const CASES = [
  { runtime: 'node', replicas: 2, calls: 120, kills: 1, seed: 1 },
  { runtime: 'workerd', replicas: 1, calls: 100, kills: 0, seed: 1 },
] as const;

test.concurrent.each(CASES)(
  'on $runtime, $calls calls at once exceed no budget, and every bill is in the records ($kills killed)',
  async (options) => {
    const { wrong, counts, budgets } = await runBudget(options, { storage: inject('storage'), openaiUrl: inject('openaiUrl') });
    expect(wrong).toEqual([]);
    // What happened is what the test is about.
    expect(Math.min(counts.answered, counts.refused)).toBeGreaterThan(0);
    if (options.kills > 0) expect(Math.min(counts.lost, counts.interrupted)).toBeGreaterThan(0);
    expect(budgets.gateway?.billed).toBeGreaterThan(0);
  },
);

test.concurrent.each([
  ['node', 'request', {}],
  ['workerd', 'request', {}],
  ['node', 'stream', { meta: { progressToken: 1 } }],
  ['workerd', 'stream', { meta: { progressToken: 1 } }],
] as const)('on %s, a chat whose client breaks off its %s counts as its estimate, and holds no more', async (runtime, _, options) => {
  const env = testEnvironment({ MCP_BUDGET_USD_PER_DAY: '1', MODEL_PRICES: '{"gpt-6-luna": "gpt-6-luna"}' });
  const gateway = await (runtime === 'node' ? startNodeGateway(env) : startWorkerdGateway(env));
  const { storage, account, secret } = { storage: inject('storage'), account: env.OPENAI_API_KEY ?? '', secret: env.STATE_SECRET ?? '' };
  const { accounts } = openRecords({ storage, secret, pathPrefix: undefined }, await gateway.objects?.('ACCOUNTS')).ledger;
  const read = () => accounts.read({ owner: GATEWAY, date: dateOf(Date.now()) });
  await queueFaults(account, [{ hold: 'all' }]);
  const chat = { prompt: 'Hello', max_completion_tokens: 1000 };
  const { leave } = startCall(fetch, 'chat_completion', chat, { url: gateway.url, ...options });
  await eventually(async () => (await recordedRequests(account)).length > 0);
  expect(Object.keys((await read()).holds)).toHaveLength(1);
  leave();
  await eventually(async () => Object.keys((await read()).holds).length === 0);
  // A thousand tokens for half a dollar a million.
  expect((await read()).spentUsd).toBeCloseTo(0.0005, 5);
  await gateway.close();
});
