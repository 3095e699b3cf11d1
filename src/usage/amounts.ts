import type { Amounts } from './rates.ts';

type Usage = Readonly<Record<string, unknown>> | undefined;

/** What the `usage` of a chat completion bills. Pictures in a chat are billed as text. */
export function chatAmounts(usage: Usage): Amounts | undefined {
  if (!usage) return undefined;
  const input = details(usage, 'prompt_tokens_details');
  const output = details(usage, 'completion_tokens_details');
  const cached_input = count(input.cached_tokens);
  const cache_write = count(input.cache_write_tokens);
  const audio_input = count(input.audio_tokens);
  const audio_output = count(output.audio_tokens);
  return {
    input: rest(usage.prompt_tokens, cached_input + cache_write + audio_input),
    cached_input,
    cache_write,
    audio_input,
    output: rest(usage.completion_tokens, audio_output),
    audio_output,
  };
}

/** What the `usage` of images bills. */
export function imageAmounts(usage: Usage = {}): Amounts {
  const input = details(usage, 'input_tokens_details');
  const cached = details(input, 'cached_tokens_details');
  const cached_input = count(cached.text_tokens);
  const cached_image_input = count(cached.image_tokens);
  const image_input = rest(input.image_tokens, cached_image_input);
  const output = count(details(usage, 'output_tokens_details').text_tokens);
  return {
    input: rest(usage.input_tokens, cached_input + cached_image_input + image_input),
    cached_input,
    image_input,
    cached_image_input,
    output,
    image_output: rest(usage.output_tokens, output),
  };
}

/** What the `usage` of a transcription bills: its duration, or tokens. */
export function transcriptionAmounts(usage: Usage): Amounts | undefined {
  if (!usage) return undefined;
  if (usage.type === 'duration') return { minute: count(usage.seconds) / 60 };
  const audio_input = count(details(usage, 'input_token_details').audio_tokens);
  return { audio_input, input: rest(usage.input_tokens, audio_input), output: count(usage.output_tokens) };
}

function details(of: NonNullable<Usage>, name: string): NonNullable<Usage> {
  const value = of[name];
  return typeof value === 'object' && value !== null ? (value as NonNullable<Usage>) : {};
}

function rest(total: unknown, parts: number): number {
  return Math.max(0, count(total) - parts);
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;
}
