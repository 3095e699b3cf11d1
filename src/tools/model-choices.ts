import * as z from 'zod';
import { GatewayError } from '../errors.ts';
import { MAX_CHOICES, MAX_CHOICES_CHARACTERS } from '../limits.ts';
import { capabilityOf, HINTS, KNOWN_MODELS } from '../openai/known-models.ts';
import type { Capability, Upstream } from '../openai/upstreams.ts';
import { TimeLimitError } from '../streams/time-limit.ts';
import { priceText } from '../usage/price-text.ts';
import type { ToolContext } from './tool.ts';

/** An agent waits for what it may choose, but not long. */
const LIST_WAIT_MS = 2_000;

const choice = z.object({
  model: z.string(),
  default: z.boolean().optional(),
  hints: z.array(z.enum(HINTS)).optional(),
  price: z.string().optional(),
  retires_on: z.string().optional(),
  successor: z.string().optional(),
});
type Choice = z.output<typeof choice>;

/** The fields of a capability's models. */
export const choicesShape = {
  choices: z.array(choice).optional(),
  choices_omitted: z.int().optional(),
  choices_problem: z.string().optional(),
};
type Choices = Partial<z.output<z.ZodObject<typeof choicesShape>>>;

/** The models that a tool can be asked for: the default first, then the known ones, then the others. */
export async function choicesOf(capability: Capability, upstream: Upstream, context: ToolContext): Promise<Choices> {
  const { ids, problem } = await idsOf(capability, upstream, context);
  const today = new Date(context.clock.now()).toISOString().slice(0, 'yyyy-mm-dd'.length);
  const others = ids.filter((id) => id !== upstream.model).sort((a, b) => rankOf(a) - rankOf(b));
  const offered = [upstream.model, ...others]
    .map((id) => describe(id, upstream, context))
    .filter(({ default: isDefault, retires_on }) => isDefault || retires_on === undefined || retires_on > today);
  const choices = bounded(offered);
  const omitted = offered.length - choices.length;
  return { choices, ...(omitted > 0 && { choices_omitted: omitted }), ...(problem && { choices_problem: problem }) };
}

/** A list that cannot be read is reported, not thrown: the default can be asked for all the same. */
async function idsOf(
  capability: Capability,
  upstream: Upstream,
  { models, signal }: ToolContext,
): Promise<{ ids: readonly string[]; problem?: string }> {
  if (upstream.provider === 'azure')
    return { ids: [], problem: 'Azure OpenAI does not list deployments; another deployment can be passed by its name.' };
  try {
    const list = await models.list(upstream, { timeoutMs: LIST_WAIT_MS, signal });
    return { ids: [...new Set(list.map(({ id }) => id))].filter((id) => capabilityOf(id) === capability) };
  } catch (error) {
    const problem = problemOf(error);
    // Only OpenAI itself surely has the models of the table.
    const known = upstream.provider === 'openai' ? [...KNOWN_MODELS.keys()].filter((id) => capabilityOf(id) === capability) : [];
    return { ids: known, problem };
  }
}

function problemOf(error: unknown): string {
  if (error instanceof TimeLimitError) return 'The upstream has not listed its models yet; call again in a few seconds.';
  if (error instanceof GatewayError && error.failure.kind !== 'cancelled') return error.message;
  throw error;
}

const ORDER = [...KNOWN_MODELS.keys()];
/** In the order of the table; those that retire last, after the unknown ones, which stay in the upstream's order. */
function rankOf(id: string): number {
  const rank = ORDER.indexOf(id);
  if (KNOWN_MODELS.get(id)?.retiresOn !== undefined) return ORDER.length + 1 + rank;
  return rank < 0 ? ORDER.length : rank;
}

function describe(id: string, upstream: Upstream, { models, prices }: ToolContext): Choice {
  const hints = KNOWN_MODELS.get(id)?.hints ?? [];
  const priced = prices.of(upstream, id);
  const retirement = models.retirement(upstream, id);
  return {
    model: id,
    ...(id === upstream.model && { default: true }),
    ...(hints.length > 0 && { hints: [...hints] }),
    ...(priced && { price: priceText(priced.rates) }),
    ...(retirement && { retires_on: retirement.retiresOn, ...(retirement.successor && { successor: retirement.successor }) }),
  };
}

function bounded(choices: readonly Choice[]): Choice[] {
  let characters = 0;
  return choices.slice(0, MAX_CHOICES).filter((one) => {
    characters += JSON.stringify(one).length;
    return characters <= MAX_CHOICES_CHARACTERS;
  });
}
