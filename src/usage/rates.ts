import * as z from 'zod';
import { type Cost, roundUsd } from './cost.ts';

const usd = z.number('must be a number of US dollars, 0 or more').min(0, 'must be a number of US dollars, 0 or more').optional();
const factor = z.number('must be a number, 0 or more').min(0, 'must be a number, 0 or more');

/** US dollars for a million tokens of each kind, and the kind whose price holds where one has none of its own. */
const TOKENS = {
  input: undefined,
  cached_input: 'input',
  cache_write: 'input',
  output: undefined,
  image_input: 'input',
  cached_image_input: 'image_input',
  image_output: 'output',
  audio_input: 'input',
  audio_output: 'output',
} as const;
type Token = keyof typeof TOKENS;
const TOKEN_KINDS = Object.keys(TOKENS) as Token[];

const tokenRates = Object.fromEntries(TOKEN_KINDS.map((kind) => [kind, usd])) as Record<Token, typeof usd>;

/** The prices of a model, in US dollars. */
export const ratesSchema = z.strictObject({
  ...tokenRates,
  /** A minute of audio that is transcribed. */
  minute: usd,
  /** A second of video: of any size, or by size. */
  second: z
    .union([usd.unwrap(), z.record(z.string(), usd.unwrap())], 'must be US dollars, or an object with US dollars by size')
    .optional(),
  image: usd,
  /** A million characters of text that is spoken. */
  million_characters: usd,
  /** With more input than this, all of the request costs so many times as much. */
  long_context: z.strictObject({ above_tokens: z.int().min(1), input_factor: factor, output_factor: factor }).optional(),
  /** How many times as much the service tiers cost. */
  priority_factor: factor.optional(),
  flex_factor: factor.optional(),
});
export type Rates = z.output<typeof ratesSchema>;

/** What is billed for a request: tokens by kind, and the quantities of the other units. */
export type Amounts = Readonly<Partial<Record<Token | 'minute' | 'second' | 'image' | 'million_characters', number>>>;

/**
 * What is billed for a request. `ways`: by the unit, by the token, …; the model has prices for one of them. `size`: of a
 * video. `tier`: the service tier of a chat.
 */
export type Billed = Readonly<{ model: string; ways: readonly Amounts[]; size?: string | undefined; tier?: string | undefined }>;

/** No request costs more. Sums of less stay finite, as JSON, in which budgets and usage are stored, needs them to be. */
const MAX_USD = 1e15;

/** A response without usage, or with one that says nothing. */
export const SILENT = { problem: 'The upstream has not said what it bills.' };

/** What the amounts cost by the prices of their model. */
export function costBy(rates: Rates, amounts: Amounts, { model, size, tier }: Omit<Billed, 'ways'>): Cost {
  const tierFactor = tierFactorOf(rates, tier);
  if (!Object.values(amounts).some((amount) => amount > 0)) return SILENT;
  if (tierFactor === undefined) return unknown(`the service tier ${tier} of the model ${model}`);
  let usdTotal = 0;
  for (const [kind, amount = 0] of Object.entries(amounts)) {
    if (amount === 0) continue;
    const rate = rateOf(rates, kind, size);
    if (rate === undefined) return unknown(`${what(kind, size)} of the model ${model}`);
    const isToken = Object.hasOwn(TOKENS, kind);
    usdTotal += isToken ? ((amount * rate) / 1e6) * tierFactor * longFactor(rates, amounts, kind) : amount * rate;
  }
  return usdTotal <= MAX_USD ? { usd: roundUsd(usdTotal) } : { problem: 'The upstream has reported impossible amounts.' };
}

/** Says who can do something about it. */
export function unknown(whose: string): { problem: string } {
  return { problem: `The price of ${whose} is not known; the operator can set MODEL_PRICES.` };
}

function rateOf(rates: Rates, kind: string, size: string | undefined): number | undefined {
  for (let name = kind as Token | undefined; name !== undefined; name = TOKENS[name]) {
    const rate = rates[name as Token | 'second'];
    if (typeof rate === 'object') return Object.hasOwn(rate, size ?? '') ? rate[size ?? ''] : undefined;
    if (rate !== undefined) return rate;
  }
  return undefined;
}

function what(kind: string, size: string | undefined): string {
  if (kind === 'second') return size ? `a second of ${size}` : 'a second';
  const words = kind.replaceAll('_', ' ');
  return Object.hasOwn(TOKENS, kind) ? `the ${words} tokens` : kind === 'image' ? 'an image' : `a ${words.replace('million ', '')}`;
}

/** On the tier that bills by default unless the response says otherwise. */
function tierFactorOf({ priority_factor, flex_factor }: Rates, tier = 'default'): number | undefined {
  if (tier === 'default' || tier === 'auto') return 1;
  if (tier === 'priority' || tier === 'fast') return priority_factor;
  return tier === 'flex' ? flex_factor : undefined;
}

const INPUTS = TOKEN_KINDS.filter((kind) => !kind.includes('output'));

function longFactor({ long_context: long }: Rates, amounts: Amounts, kind: string): number {
  if (!long || INPUTS.reduce((sum, input) => sum + (amounts[input] ?? 0), 0) <= long.above_tokens) return 1;
  return kind.includes('output') ? long.output_factor : long.input_factor;
}
