import type { Rates } from './rates.ts';

/** When the prices were last compared with their sources; a test fails 90 days later. */
export const PRICES_AS_OF = '2026-11-24';

/** Fast mode and priority cost twice the standard price, flex half of it. */
const GPT_6 = {
  long_context: { above_tokens: 272_000, input_factor: 2, output_factor: 1.5 },
  priority_factor: 2,
  flex_factor: 0.5,
};

const GPT_IMAGE_2 = { input: 5, image_input: 8, image_output: 30 };
const CACHED = { cached_input: 1.25, cached_image_input: 2 };

const SORA_2_PRO = { '1280x720': 0.3, '720x1280': 0.3, '1792x1024': 0.5, '1024x1792': 0.5 };

/**
 * OpenAI's list prices for standard processing, by exact id: https://developers.openai.com/api/docs/pricing and the page of
 * each model below https://developers.openai.com/api/docs/models. `chatgpt-image-latest` and the DALL-E models, which have
 * retired or do so within days, have none.
 */
export const PRICE_TABLE: ReadonlyMap<string, Rates> = new Map<string, Rates>([
  ['gpt-6-luna', { input: 0.1, cached_input: 0.01, cache_write: 0.125, output: 0.5, ...GPT_6 }],
  ['gpt-6.2-sol', { input: 2, cached_input: 0.1, cache_write: 2.5, output: 10, ...GPT_6 }],
  ['gpt-6.1-sol', { input: 2, cached_input: 0.1, cache_write: 2.5, output: 10, ...GPT_6 }],
  ['gpt-6-sol', { input: 2, cached_input: 0.2, cache_write: 2.5, output: 10, ...GPT_6 }],
  ['gpt-6-astra', { input: 10, cached_input: 1, cache_write: 12.5, output: 50, ...GPT_6 }],
  ['gpt-4o', { input: 2.5, cached_input: 1.25, output: 10 }],
  ['gpt-4o-mini', { input: 0.15, cached_input: 0.075, output: 0.6 }],
  ['gpt-4.1', { input: 2, cached_input: 0.5, output: 8 }],
  ['gpt-4.1-mini', { input: 0.4, cached_input: 0.1, output: 1.6 }],

  ['gpt-image-2.6-sunburst', { ...GPT_IMAGE_2, ...CACHED }],
  ['gpt-image-2.6-flare', { ...GPT_IMAGE_2, ...CACHED }],
  ['gpt-image-2.5-sunburst', GPT_IMAGE_2],
  ['gpt-image-2.5-flare', GPT_IMAGE_2],
  ['gpt-image-2', { ...GPT_IMAGE_2, ...CACHED }],
  ['gpt-image-1.5', { input: 5, image_input: 8, output: 10, image_output: 32, ...CACHED }],
  ['gpt-image-1-mini', { input: 2, cached_input: 0.2, image_input: 2.5, cached_image_input: 0.25, image_output: 8 }],
  ['gpt-image-1', { input: 5, cached_input: 1.25, image_input: 10, cached_image_input: 2.5, image_output: 40 }],

  ['gpt-audio-1.5', { input: 2.5, output: 10, audio_input: 32, audio_output: 64 }],
  ['gpt-4o-mini-tts', { input: 0.6, audio_output: 12 }],
  ['tts-1', { million_characters: 15 }],
  ['tts-1-hd', { million_characters: 30 }],

  ['gpt-transcribe', { minute: 0.0045 }],
  ['whisper-1', { minute: 0.006 }],
  ['gpt-4o-transcribe', { input: 2.5, audio_input: 6, output: 10 }],
  ['gpt-4o-mini-transcribe', { input: 1.25, audio_input: 3, output: 5 }],

  // As they were on OpenAI's Videos API, for a server whose operator says that it charges the same.
  ['sora-2', { second: { '1280x720': 0.1, '720x1280': 0.1 } }],
  ['sora-2-pro', { second: SORA_2_PRO }],
]);
