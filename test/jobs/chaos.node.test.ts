import { expect, inject, test } from 'vitest';
import { runChaos } from '../load/chaos.ts';

test.each(['node', 'workerd'] as const)(
  'on %s, every billed image is received or reported, whoever leaves and whatever is killed',
  async (runtime) => {
    const report = await runChaos({ runtime, clients: 40, kills: 2, seed: 1 }, inject('storage'));
    expect(report.wrong).toEqual([]);
    expect(report.received).toBe(40);
    // What happened is what the test is about.
    expect(Math.min(report.left, report.interrupted, report.collected)).toBeGreaterThan(0);
  },
);
