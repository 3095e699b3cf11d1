import { expect, test } from 'vitest';
import { type UsageRow, withRows } from '../../src/usage/rows.ts';
import { usedOnce } from './used.ts';

const labels = (rows: readonly UsageRow[]) => rows.map(({ principal, tool, model, calls }) => [principal, tool, model, calls]);

test('rows of the same principal, tool and model are added up, under the latest name', () => {
  const rows = withRows(
    [usedOnce({ cost_usd: 0.5 })],
    [usedOnce({ cost_usd: 0.25, failures: 1, name: 'Alice' }), usedOnce({ model: 'b' })],
  );
  expect(rows).toEqual([
    usedOnce({ calls: 2, cost_usd: 0.75, failures: 1, name: 'Alice', input_tokens: 20, output_tokens: 10 }),
    usedOnce({ model: 'b' }),
  ]);
});

test('beyond so many, what is new is added to one row for its principal, and then to one for all of them', () => {
  const fromMany = Array.from({ length: 6 }, (_, index) => usedOnce({ principal: `p${index}` }));
  const rows = withRows(
    [usedOnce(), usedOnce({ model: 'b' })],
    [usedOnce(), usedOnce({ model: 'c' }), usedOnce({ model: 'd' }), ...fromMany],
    2,
  );
  expect(labels(rows)).toEqual([
    ['alice', 'chat_completion', 'a', 2],
    ['alice', 'chat_completion', 'b', 1],
    ['alice', 'other', 'other', 2],
    ['p0', 'other', 'other', 1],
    ['', 'other', 'other', 5],
  ]);
  expect(rows.at(-1)?.name).toBe('other');
});

test('there are never more than 4,001 rows, and nothing is lost', () => {
  const more = Array.from({ length: 5_000 }, (_, index) => [usedOnce({ model: `m${index}` }), usedOnce({ principal: `p${index}` })]).flat();
  const rows = withRows([], more);
  expect(rows).toHaveLength(4_001);
  expect(rows.reduce((sum, { calls }) => sum + calls, 0)).toBe(10_000);
});
