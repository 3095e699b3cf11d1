import type { Measures } from '../events.ts';

type Tokens = Pick<Measures, 'input_tokens' | 'output_tokens'>;

/** The tokens in an upstream's `usage`: chat and images name them differently. */
export function tokensOf(usage: Record<string, unknown> = {}): Tokens {
  const input = usage.input_tokens ?? usage.prompt_tokens;
  const output = usage.output_tokens ?? usage.completion_tokens;
  return { ...(isCount(input) && { input_tokens: input }), ...(isCount(output) && { output_tokens: output }) };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}
