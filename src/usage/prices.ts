import * as z from 'zod';
import { repeatedNames } from '../json-names.ts';
import { parseJson } from '../parse-json.ts';
import type { Cost } from './cost.ts';
import { PRICE_TABLE } from './price-table.ts';
import { type Billed, costBy, type Rates, ratesSchema, SILENT, unknown } from './rates.ts';

/** What the operator says of a model: its prices, that it is free, or as which model of the table it is billed. */
type ModelPrice = Rates | 0 | string;
export type ModelPrices = Readonly<Record<string, ModelPrice>>;

/** `id`: the model that is billed, whatever the deployment is called. */
type Priced = Readonly<{ id: string; rates: Rates | 0 }>;

/** An upstream, as far as it matters for prices. */
type Provider = Readonly<{ provider: 'openai' | 'azure' | 'compatible' }>;

export type Prices = Readonly<{
  /** What a model costs; `undefined` if that is not known. */
  of: (upstream: Provider, model: string) => Priced | undefined;
  /** What a request costs by the first way that has prices; without one, the upstream has not said what it bills. */
  costOf: (upstream: Provider, billed: Billed) => Cost;
}>;

/** The operator's prices, then, for OpenAI and Azure, the table. Other servers have prices of their own. */
export function createPrices(own: ModelPrices): Prices {
  const of: Prices['of'] = ({ provider }, model) => {
    const given = Object.hasOwn(own, model) ? own[model] : undefined;
    if (given !== undefined) return resolve(own, model, given);
    const rates = provider === 'compatible' ? undefined : PRICE_TABLE.get(model);
    return rates && { id: model, rates };
  };
  return {
    of,
    costOf(upstream, { ways, ...billed }) {
      const priced = of(upstream, billed.model);
      if (!priced) return unknown(`the model ${billed.model}`);
      const { rates } = priced;
      if (rates === 0) return { usd: 0 };
      const costs = ways.map((amounts) => costBy(rates, amounts, billed));
      return costs.find((cost) => 'usd' in cost) ?? costs.at(-1) ?? SILENT;
    },
  };
}

/** An alias of itself stands for the table's price. */
function resolve(own: ModelPrices, model: string, given: ModelPrice): Priced | undefined {
  if (typeof given !== 'string') return { id: model, rates: given };
  const target = given !== model && Object.hasOwn(own, given) ? own[given] : undefined;
  const rates = typeof target === 'string' ? undefined : (target ?? PRICE_TABLE.get(given));
  return rates === undefined ? undefined : { id: given, rates };
}

const SHAPE = 'must be JSON such as {"my-model": {"input": 0.5, "output": 2}, "my-deployment": "gpt-6-luna", "local-model": 0}';

/** `MODEL_PRICES`. Names every problem by the name of its model, and quotes no value. */
export const modelPrices = () =>
  z.string().transform((text, context): ModelPrices => {
    const parsed = z.record(z.string(), z.unknown()).safeParse(parseJson(text));
    const report = (message: string) => context.addIssue({ code: 'custom', message });
    if (!parsed.success) report(SHAPE);
    const own = parsed.data as ModelPrices;
    for (const { name } of parsed.success ? repeatedNames(text) : []) report(`has ${quoted(name)} more than once in one object`);
    for (const [model, given] of Object.entries(parsed.data ?? {})) {
      for (const problem of problemsOf(own, model, given)) report(`has a problem at ${quoted(model)}: ${problem}`);
    }
    return own;
  });

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 200));
}

function problemsOf(own: ModelPrices, model: string, given: unknown): string[] {
  if (given === 0) return [];
  if (typeof given === 'string')
    return resolve(own, model, given) ? [] : ['a text must be the name of a model of the table, or of one with prices here'];
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return ['must be an object of prices, the name of a model, or 0'];
  const rates = ratesSchema.safeParse(given);
  return rates.success ? [] : rates.error.issues.map(({ path, message }) => [...path, message].join(' '));
}
