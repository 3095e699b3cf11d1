import { expect, inject, test } from 'vitest';
import { runBudget } from '../load/budget.ts';

const CASES = [
  { runtime: 'node', replicas: 2, calls: 120, kills: 1, seed: 1 },
  { runtime: 'workerd', replicas: 1, calls: 100, kills: 0, seed: 1 },
] as const;

test.each(CASES)(
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
