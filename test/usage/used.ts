import type { UsageRow } from '../../src/usage/rows.ts';

/** One call. */
export function usedOnce(overrides: Partial<UsageRow> = {}): UsageRow {
  const whose = { principal: 'alice', name: 'alice', tool: 'chat_completion', model: 'a' };
  const used = { calls: 1, failures: 0, input_tokens: 10, output_tokens: 5, files: 0, bytes: 0, cost_usd: 0.001 };
  return { ...whose, ...used, ...overrides };
}
