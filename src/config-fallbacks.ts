import type * as z from 'zod';
import type { ConfigProblem } from './config.ts';
import { apiBaseUrl, name, token } from './config-fields.ts';
import { CAPABILITIES, type Capability, type OpenAISettings, providerOf } from './openai/upstreams.ts';

type Part = 'BASE_URL' | 'API_KEY' | 'MODEL';
type Variable<One extends Part = Part> = `OPENAI_${Uppercase<Capability>}_FALLBACK_${One}`;

const variableOf = <One extends Part>(capability: Capability, part: One) =>
  `OPENAI_${capability.toUpperCase() as Uppercase<Capability>}_FALLBACK_${part}` as const;

/** The variables of the second upstream of each capability. */
export const fallbackFields = Object.fromEntries(
  CAPABILITIES.flatMap((capability) => [
    [variableOf(capability, 'BASE_URL'), apiBaseUrl().optional()],
    [variableOf(capability, 'API_KEY'), token('an API key').optional()],
    [variableOf(capability, 'MODEL'), name().optional()],
  ]),
) as Record<Variable, z.ZodOptional<z.ZodType<string, string>>>;

type Environment = Readonly<Partial<Record<Variable, string | undefined>>>;

/** A key or a model without its server, and a server that cannot be used. */
export function checkFallbacks(values: Readonly<Record<string, string>>): ConfigProblem[] {
  return CAPABILITIES.flatMap((capability): ConfigProblem[] => {
    const variable = variableOf(capability, 'BASE_URL');
    const key = variableOf(capability, 'API_KEY');
    const baseUrl = values[variable];
    if (baseUrl === undefined) {
      const orphan = [key, variableOf(capability, 'MODEL')].find((other) => values[other] !== undefined);
      return orphan ? [{ variable, problem: `is required when ${orphan} is set` }] : [];
    }
    if (!URL.canParse(baseUrl) || providerOf(baseUrl) !== 'openai') return [];
    if (capability === 'video') return [{ variable, problem: 'must be a server that has a Videos API, which OpenAI has shut down' }];
    return values[key] === undefined ? [{ variable: key, problem: `is required when ${variable} is OpenAI's` }] : [];
  });
}

export function fallbackSettings(env: Environment): OpenAISettings['fallbacks'] {
  const found: { -readonly [Key in Capability]?: OpenAISettings['fallbacks'][Key] } = {};
  for (const capability of CAPABILITIES) {
    const baseUrl = env[variableOf(capability, 'BASE_URL')];
    const apiKey = env[variableOf(capability, 'API_KEY')];
    if (baseUrl) found[capability] = { baseUrl, apiKey, model: env[variableOf(capability, 'MODEL')] };
  }
  return found;
}

export function fallbackKeys(env: Environment): (string | undefined)[] {
  return CAPABILITIES.map((capability) => env[variableOf(capability, 'API_KEY')]);
}
