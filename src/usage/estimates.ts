import type { Amounts } from './rates.ts';

/** Latin letters take a token for about four characters; other scripts up to one each. */
const CHARACTERS_PER_TOKEN = 3;
const LAST_LATIN = 0x24f;
/** Of a picture of four megapixels in a chat. */
const PICTURE_TOKENS = 5_000;
/** What a chat is expected to answer at most when it has no `max_completion_tokens`. */
const ANSWER_TOKENS = 8_000;
/** The same when it is to think hard. */
const LONG_ANSWER_TOKENS = 32_000;
/** Of a picture that is edited, which is read in high fidelity. */
const EDITED_TOKENS = 6_500;
/** Speech is slow to speak in at least so many characters a second, and has about 21 tokens in it. */
const SLOW_PACE = 12;
const USUAL_PACE = 15;
const SPOKEN_TOKENS_PER_SECOND = 1_250 / 60;
/** A recording, of which nothing is known before it is read. */
const RECORDING_MINUTES = 60;
const HEARD_TOKENS_PER_MINUTE = 1_250;
const WRITTEN_TOKENS_PER_MINUTE = 300;

/** The tokens of a text, at most by all likelihood. */
export function textTokens(text: string): number {
  const others = othersIn(text);
  return Math.ceil((text.length - others) / CHARACTERS_PER_TOKEN) + others;
}

/** How many characters are not of a Latin script. */
function othersIn(text: string): number {
  let others = 0;
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > LAST_LATIN) others++;
  return others;
}

type Chat = Readonly<{ texts: readonly string[]; pictures: number; maxTokens: number | undefined; thinksHard: boolean }>;

export function chatEstimate({ texts, pictures, maxTokens, thinksHard }: Chat): Amounts {
  const input = texts.reduce((sum, text) => sum + textTokens(text) + 10, 0) + pictures * PICTURE_TOKENS;
  return { input, output: maxTokens ?? (thinksHard ? LONG_ANSWER_TOKENS : ANSWER_TOKENS) };
}

type Images = Readonly<{
  model: string;
  prompt: string;
  inputs: number;
  count: number;
  quality: string | undefined;
  size: string | undefined;
}>;

export function imagesEstimate({ model, prompt, inputs, count, quality, size }: Images): Amounts {
  return { input: textTokens(prompt) + 10, image_input: inputs * EDITED_TOKENS, image_output: count * imageTokens(model, quality, size) };
}

/** The long side of the grid of tokens; `auto` may choose `high`. */
const GRIDS: Readonly<Record<string, number>> = { low: 16, medium: 48, high: 96 };
const GRIDS_SINCE_2_5: Readonly<Record<string, number>> = { low: 16, medium: 24, high: 48, xhigh: 64, max: 96 };
const TOKENS_OF_1: Readonly<Record<string, number>> = { low: 272, medium: 1_056, high: 4_160 };
const MEGAPIXEL = 1024 * 1024;

/**
 * The tokens of a generated image. https://developers.openai.com/api/docs/guides/image-generation (its calculator): the
 * same as that gives for 1024x1024, 1536x1024 and 3840x2160.
 */
export function imageTokens(model: string, quality = 'auto', size = 'auto'): number {
  const [width = 0, height = 0] = (size === 'auto' ? '1024x1024' : size).split('x').map(Number);
  if (model.startsWith('gpt-image-1')) return ((TOKENS_OF_1[quality] ?? 4_160) * width * height) / MEGAPIXEL;
  const grids = model.startsWith('gpt-image-2.') ? GRIDS_SINCE_2_5 : GRIDS;
  const long = grids[quality] ?? grids.high ?? 0;
  const short = Math.max(1, Math.round((long * Math.min(width, height)) / Math.max(width, height)));
  return Math.ceil((long * short * (2e6 + width * height)) / 4e6);
}

/** `pace`: slow for what it may take at most. Other scripts take up to three times as long for a character. */
function spokenTokens(text: string, pace: number): number {
  return Math.ceil(((text.length + 2 * othersIn(text)) / pace) * SPOKEN_TOKENS_PER_SECOND);
}

/** The tokens that the speech endpoint bills for a text, of which it says nothing. */
export function spokenAmounts(text: string, instructions = ''): Amounts {
  return { input: textTokens(text) + textTokens(instructions), audio_output: spokenTokens(text, USUAL_PACE) };
}

type Speech = Readonly<{ text: string; instructions: string; requests: number; speed: number; hasTranscript: boolean }>;

/** `requests`: those of long speech, each with its own instructions. `hasTranscript`: what is said is also written. */
export function speechEstimate({ text, instructions, requests, speed, hasTranscript }: Speech): Amounts {
  const input = textTokens(text) + requests * textTokens(instructions);
  const audio_output = Math.ceil(spokenTokens(text, SLOW_PACE) / Math.min(1, speed));
  return { input, audio_output, ...(hasTranscript && { output: textTokens(text) }) };
}

/** Of a recording of an hour, for models that are billed by the minute and by the token. */
export function transcriptionEstimate(): readonly Amounts[] {
  const audio_input = RECORDING_MINUTES * HEARD_TOKENS_PER_MINUTE;
  return [{ minute: RECORDING_MINUTES }, { audio_input, output: RECORDING_MINUTES * WRITTEN_TOKENS_PER_MINUTE }];
}
