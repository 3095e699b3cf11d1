import { describe, expect, test } from 'vitest';
import { chatAmounts, imageAmounts, transcriptionAmounts } from '../../src/usage/amounts.ts';
import { imageTokens, textTokens } from '../../src/usage/estimates.ts';
import { createPrices, type ModelPrices } from '../../src/usage/prices.ts';

test.each([
  // https://developers.openai.com/api/docs/guides/image-generation
  ['gpt-image-2', 'low', '1024x1024', 196],
  ['gpt-image-2', 'medium', '1024x1024', 1756],
  ['gpt-image-2', 'high', '1024x1024', 7024],
  ['gpt-image-2', 'auto', 'auto', 7024],
  ['gpt-image-2', 'low', '1536x1024', 158],
  ['gpt-image-2', 'high', '1024x1536', 5488],
  ['gpt-image-2.6-flare', 'medium', '1024x1024', 439],
  ['gpt-image-2.6-flare', 'xhigh', '1024x1024', 3122],
  ['gpt-image-2.5-sunburst', 'max', '1024x1024', 7024],
  ['gpt-image-1-mini', 'low', '1024x1024', 272],
  ['gpt-image-1.5', 'high', '1024x1536', 6240],
])('%s at %s quality and %s has %i tokens', (model, quality, size, tokens) => {
  expect(imageTokens(model, quality, size)).toBe(tokens);
});

test.each([
  ['Hello, world', 4],
  ['こんにちは', 5],
  ['Grüße an 東京', 5],
])('%s has at most %i tokens', (text, tokens) => expect(textTokens(text)).toBe(tokens));

describe('the amounts of a usage', () => {
  const count = (value: object = {}) => Object.fromEntries(Object.entries(value).filter(([, amount]) => amount !== 0));

  test('of a chat, by kind', () => {
    const usage = {
      prompt_tokens: 100,
      completion_tokens: 30,
      prompt_tokens_details: { cached_tokens: 40, cache_write_tokens: 20, audio_tokens: 10 },
      completion_tokens_details: { reasoning_tokens: 25, audio_tokens: 4 },
    };
    const expected = { input: 30, cached_input: 40, cache_write: 20, audio_input: 10, output: 26, audio_output: 4 };
    expect(count(chatAmounts(usage))).toEqual(expected);
    expect(count(chatAmounts({ prompt_tokens: 3, completion_tokens: 'x', prompt_tokens_details: null }))).toEqual({ input: 3 });
  });

  test('of images', () => {
    const details = {
      text_tokens: 10,
      image_tokens: 500,
      cached_tokens: 300,
      cached_tokens_details: { text_tokens: 4, image_tokens: 296 },
    };
    const usage = { input_tokens: 510, input_tokens_details: details, output_tokens: 99, output_tokens_details: { text_tokens: 9 } };
    const expected = { input: 6, cached_input: 4, image_input: 204, cached_image_input: 296, output: 9, image_output: 90 };
    expect(count(imageAmounts(usage))).toEqual(expected);
    expect(count(imageAmounts({ input_tokens: 10, output_tokens: 20 }))).toEqual({ input: 10, image_output: 20 });
  });

  test('of a transcription', () => {
    expect(transcriptionAmounts({ type: 'duration', seconds: 90 })).toEqual({ minute: 1.5 });
    const tokens = { type: 'tokens', input_tokens: 14, input_token_details: { text_tokens: 4, audio_tokens: 10 }, output_tokens: 45 };
    expect(transcriptionAmounts(tokens)).toEqual({ input: 4, audio_input: 10, output: 45 });
    expect(transcriptionAmounts(undefined)).toBeUndefined();
  });
});

describe('a cost', () => {
  const cost = (own: ModelPrices, provider: 'openai' | 'azure' | 'compatible', model: string, amounts: object, more = {}) =>
    createPrices(own).costOf({ provider }, { model, ways: [amounts], ...more });
  const million = { input: 1e6 };

  test.each([
    [{}, 'openai', 'gpt-4o', 2.5],
    [{}, 'azure', 'gpt-4o', 2.5],
    [{ 'gpt-4o': { input: 3 } }, 'openai', 'gpt-4o', 3],
    [{ team: 'gpt-4o' }, 'azure', 'team', 2.5],
    [{ 'gpt-4o': 'gpt-4o' }, 'compatible', 'gpt-4o', 2.5],
    [{ team: 'ours', ours: { input: 7 } }, 'compatible', 'team', 7],
    [{ local: 0 }, 'compatible', 'local', 0],
  ] as const)('by %j at %s, %s costs $%d', (own, provider, model, usd) => {
    expect(cost(own, provider, model, million)).toEqual({ usd });
  });

  test.each([
    [{}, 'compatible', 'gpt-4o', 'the model gpt-4o'],
    [{}, 'openai', 'gpt-4o-2024-05-13', 'the model gpt-4o-2024-05-13'],
    [{}, 'openai', 'toString', 'the model toString'],
    [{ x: { output: 1 } }, 'openai', 'x', 'the input tokens of the model x'],
  ] as const)('by %j at %s, that of %s is not known', (own, provider, model, what) => {
    expect(cost(own, provider, model, million)).toEqual({
      problem: `The price of ${what} is not known; the operator can set MODEL_PRICES.`,
    });
  });

  test('is by service tier, size and length', () => {
    expect(cost({}, 'openai', 'gpt-6-sol', { input: 1000 }, { tier: 'priority' })).toEqual({ usd: 0.004 });
    expect(cost({}, 'openai', 'gpt-6-sol', { input: 1000 }, { tier: 'flex' })).toEqual({ usd: 0.001 });
    expect(cost({}, 'openai', 'gpt-4o', { input: 1000 }, { tier: 'flex' })).toHaveProperty('problem');
    const own = { 'sora-2-pro': 'sora-2-pro' };
    expect(cost(own, 'compatible', 'sora-2-pro', { second: 4 }, { size: '1792x1024' })).toEqual({ usd: 2 });
    expect(cost(own, 'compatible', 'sora-2-pro', { second: 4 }, { size: '640x480' })).toHaveProperty('problem');
  });

  test('of impossible amounts, or of none, is not known', () => {
    expect(cost({}, 'openai', 'gpt-transcribe', { minute: 0 })).toEqual({ problem: 'The upstream has not said what it bills.' });
    expect(cost({}, 'openai', 'gpt-4o', { input: Number.MAX_VALUE, output: Number.MAX_VALUE })).toHaveProperty('problem');
  });

  test('is never 0 for what is billed', () => {
    expect(cost({}, 'openai', 'gpt-6-luna', { cached_input: 1 })).toEqual({ usd: 1e-8 });
    expect(cost({ x: { input: 1e-6 } }, 'openai', 'x', { input: 1 })).toEqual({ usd: 1e-9 });
  });
});
