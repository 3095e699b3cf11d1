import { calcPrice, findProvider, type MatchLogic, type ModelPrice } from '@pydantic/genai-prices';
import { describe, expect, test } from 'vitest';
import { inService, KNOWN_MODELS } from '../../src/openai/known-models.ts';
import { PRICE_TABLE, PRICES_AS_OF } from '../../src/usage/price-table.ts';
import { createPrices } from '../../src/usage/prices.ts';
import type { Amounts, Rates } from '../../src/usage/rates.ts';

const DAY_MS = 86_400_000;

test('the prices have been checked within the last 90 days', () => {
  expect(Date.now() - Date.parse(PRICES_AS_OF)).toBeLessThan(90 * DAY_MS);
});

/** It has no page with prices, and retires on 2026-12-01. */
const UNPRICED = ['chatgpt-image-latest'];

test('every model in service has a price', () => {
  const models = [...KNOWN_MODELS.keys()].filter((model) => inService(model, Date.parse(PRICES_AS_OF)) === model);
  expect(models.filter((model) => !PRICE_TABLE.has(model))).toEqual(UNPRICED);
});

/** By its exact id: the oracle's guesses by prefix are left out. */
function isExact(match: MatchLogic, id: string): boolean {
  if ('equals' in match) return match.equals === id;
  return 'or' in match && match.or.some((one) => isExact(one, id));
}
const known = findProvider({ providerId: 'openai' })?.models ?? [];
const priceOf = (id: string) => known.find(({ match }) => isExact(match, id))?.prices as ModelPrice | undefined;
const both = [...PRICE_TABLE].filter(([id]) => priceOf(id)).map(([id, rates]) => [id, rates] as const);

/** Our name of each of its prices; it has hours, and one price of output where all of it is of one kind. */
const NAMES = {
  input_mtok: ['input'],
  cache_read_mtok: ['cached_input'],
  cache_write_mtok: ['cache_write'],
  output_mtok: ['output', 'image_output', 'audio_output'],
  input_image_mtok: ['image_input'],
  cache_image_read_mtok: ['cached_image_input'],
  output_image_mtok: ['image_output'],
  input_audio_mtok: ['audio_input'],
  output_audio_mtok: ['audio_output'],
} as const;

describe('what genai-prices knows, too', () => {
  test('is most of the table', () => expect(both.length).toBeGreaterThanOrEqual(17));

  test.each(both)('%s has the same prices', (id, rates) => {
    const theirs = priceOf(id) ?? {};
    for (const [name, ours] of Object.entries(NAMES)) {
      const price = theirs[name];
      if (price === undefined) continue;
      const base = typeof price === 'object' ? price.base : price;
      expect(
        ours.map((kind) => rates[kind]).find((rate) => rate !== undefined),
        `${id} ${name}`,
      ).toBe(base);
      if (typeof price === 'object') {
        const factor = name.startsWith('output') ? rates.long_context?.output_factor : rates.long_context?.input_factor;
        expect((factor ?? 1) * base).toBeCloseTo(price.tiers[0]?.price ?? 0, 9);
      }
    }
    if (theirs.audio_hours !== undefined) expect((rates.minute ?? 0) * 60).toBeCloseTo(Number(theirs.audio_hours), 9);
  });

  const usages: [string, Amounts, Record<string, number>][] = [
    [
      'gpt-6-luna',
      { input: 600, cached_input: 300, cache_write: 100, output: 50 },
      { input_tokens: 1000, cache_read_tokens: 300, cache_write_tokens: 100, output_tokens: 50 },
    ],
    [
      'gpt-6-sol',
      { input: 280_000, cached_input: 20_000, output: 999 },
      { input_tokens: 300_000, cache_read_tokens: 20_000, output_tokens: 999 },
    ],
    ['gpt-6-sol', { input: 272_000, output: 1 }, { input_tokens: 272_000, output_tokens: 1 }],
    [
      'gpt-image-2',
      { input: 10, image_input: 500, image_output: 7024 },
      { input_tokens: 510, input_image_tokens: 500, output_tokens: 7024 },
    ],
    ['gpt-image-1.5', { input: 10, output: 5, image_output: 4160 }, { input_tokens: 10, output_tokens: 4165, output_image_tokens: 4160 }],
    ['gpt-audio-1.5', { input: 100, output: 50, audio_output: 150 }, { input_tokens: 100, output_tokens: 200, output_audio_tokens: 150 }],
    ['gpt-4o-transcribe', { input: 5, audio_input: 600, output: 80 }, { input_tokens: 605, input_audio_tokens: 600, output_tokens: 80 }],
    ['whisper-1', { minute: 2 }, { audio_seconds: 120, input_audio_seconds: 120 }],
  ];
  test.each(usages)('%s costs the same for %j', (model, amounts, usage) => {
    const cost = createPrices({}).costOf({ provider: 'openai' }, { model, ways: [amounts] });
    expect('usd' in cost && cost.usd).toBeCloseTo(calcPrice(usage, model, { providerId: 'openai' })?.total_price ?? -1, 9);
  });
});

test('a table entry has no kind of price that nothing is billed by', () => {
  const billed: (keyof Rates)[] = ['output', 'image_output', 'audio_output', 'million_characters', 'minute', 'second'];
  for (const [id, rates] of PRICE_TABLE)
    expect(
      billed.some((kind) => rates[kind] !== undefined),
      id,
    ).toBe(true);
});
