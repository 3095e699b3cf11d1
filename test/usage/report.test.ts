import { expect, test } from 'vitest';
import { lastDates, reportUsage } from '../../src/usage/report.ts';
import { usedOnce } from './used.ts';

test('the last days end today, across the end of a month and of a year', () => {
  expect(lastDates(1, Date.parse('2027-01-02T00:00:00Z'))).toEqual(['2027-01-02']);
  expect(lastDates(3, Date.parse('2027-01-01T23:59:59Z'))).toEqual(['2026-12-30', '2026-12-31', '2027-01-01']);
});

test('sums are by day, principal, tool and model; what costs most is first', () => {
  const image = { tool: 'generate_image', model: 'b', files: 2, bytes: 900, input_tokens: 0, output_tokens: 0 };
  const report = reportUsage(
    'all',
    [
      {
        date: '2026-11-24',
        rows: [usedOnce({ cost_usd: 0.1 }), usedOnce({ ...image, principal: 'id of bob', name: 'bob', cost_usd: 0.2 })],
      },
      {
        date: '2026-11-25',
        rows: [
          usedOnce({ cost_usd: 0.2, name: 'Alice', failures: 1 }),
          usedOnce({ tool: 'list_media', model: '', name: 'Alice', cost_usd: 0 }),
        ],
      },
    ],
    undefined,
  );
  const one = { calls: 1, failures: 0, input_tokens: 10, output_tokens: 5, files: 0, bytes: 0 };
  const two = { calls: 2, failures: 1, input_tokens: 20, output_tokens: 10, files: 0, bytes: 0, cost_usd: 0.3 };
  const bob = { calls: 1, failures: 0, input_tokens: 0, output_tokens: 0, files: 2, bytes: 900, cost_usd: 0.2 };
  expect(report).toEqual({
    from: '2026-11-24',
    to: '2026-11-25',
    scope: 'all',
    budget: null,
    totals: { calls: 4, failures: 1, input_tokens: 30, output_tokens: 15, files: 2, bytes: 900, cost_usd: 0.5 },
    by_principal: [
      { principal: 'Alice', ...two, calls: 3, input_tokens: 30, output_tokens: 15 },
      { principal: 'bob', ...bob },
    ],
    by_tool: [
      { tool: 'chat_completion', ...two },
      { tool: 'generate_image', ...bob },
      { tool: 'list_media', ...one, cost_usd: 0 },
    ],
    by_model: [
      { model: 'a', ...two },
      { model: 'b', ...bob },
      { model: '', ...one, cost_usd: 0 },
    ],
    days: [
      {
        date: '2026-11-24',
        ...{ calls: 2, failures: 0, input_tokens: 10, output_tokens: 5, files: 2, bytes: 900, cost_usd: 0.3 },
        rows: [
          { principal: 'bob', tool: 'generate_image', model: 'b', ...bob },
          { principal: 'alice', tool: 'chat_completion', model: 'a', ...one, cost_usd: 0.1 },
        ],
      },
      {
        date: '2026-11-25',
        ...{ calls: 2, failures: 1, input_tokens: 20, output_tokens: 10, files: 0, bytes: 0, cost_usd: 0.2 },
        rows: [
          { principal: 'Alice', tool: 'chat_completion', model: 'a', ...one, failures: 1, cost_usd: 0.2 },
          { principal: 'Alice', tool: 'list_media', model: '', ...one, cost_usd: 0 },
        ],
      },
    ],
  });
});

test('two principals of the same name stay apart', () => {
  const rows = [usedOnce({ principal: 'one' }), usedOnce({ principal: 'other', cost_usd: 2 })];
  const { by_principal } = reportUsage('all', [{ date: '2026-11-25', rows }], undefined);
  expect(by_principal.map(({ principal, cost_usd }) => [principal, cost_usd])).toEqual([
    ['alice', 2],
    ['alice', 0.001],
  ]);
});
