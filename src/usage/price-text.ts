import type { Rates } from './rates.ts';

const TOKENS = [
  ['input', 'in'],
  ['image_input', 'image in'],
  ['audio_input', 'audio in'],
  ['output', 'out'],
  ['image_output', 'image out'],
  ['audio_output', 'audio out'],
] as const;

/** The prices of a model in short: "$5 in, $8 image in, $30 image out per 1M tokens". */
export function priceText(rates: Rates | 0): string {
  if (rates === 0) return 'free';
  const { minute, second, image, million_characters: characters } = rates;
  const tokens = TOKENS.flatMap(([kind, words]) => (rates[kind] === undefined ? [] : [`$${rates[kind]} ${words}`]));
  const units = [
    tokens.length > 0 && `${tokens.join(', ')} per 1M tokens`,
    characters !== undefined && `$${characters} per 1M characters`,
    image !== undefined && `$${image} an image`,
    minute !== undefined && `$${minute} a minute`,
    second !== undefined && `${spread(typeof second === 'number' ? [second] : Object.values(second))} a second`,
  ];
  return units.filter(Boolean).join('; ');
}

function spread(prices: readonly number[]): string {
  const [least, most] = [Math.min(...prices), Math.max(...prices)];
  return least === most ? `$${least}` : `$${least} to $${most}`;
}
