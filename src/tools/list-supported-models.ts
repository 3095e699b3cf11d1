import * as z from 'zod';
import { GatewayError } from '../errors.ts';
import { LIST_TIMEOUT_MS } from '../openai/models.ts';
import { CAPABILITIES, type Capability, type Upstream } from '../openai/upstreams.ts';
import { TimeLimitError } from '../streams/time-limit.ts';
import { choicesOf, choicesShape } from './model-choices.ts';
import { defineTool, type ToolContext } from './tool.ts';

const TOOL_OF: Readonly<Record<Capability, string>> = {
  chat: 'chat_completion',
  image: 'generate_image, edit_image',
  audio: 'synthesize_speech',
  video: 'generate_video',
  transcription: 'transcribe_audio',
};

/** Those whose results are files. */
const STORING: ReadonlySet<Capability> = new Set(['image', 'audio', 'video']);

/** A little more than the request may take, whose failure says more. */
const VERIFY_WAIT_MS = LIST_TIMEOUT_MS + 1_000;

const modelOutput = z.object({
  capability: z.enum(CAPABILITIES),
  tool: z.string(),
  provider: z.enum(['openai', 'azure', 'compatible']),
  model: z.string().optional(),
  deployment: z.string().optional(),
  endpoint_host: z.string(),
  available: z.boolean(),
  reason: z.string().optional(),
  exists: z.boolean().optional(),
  shutdown_date: z.string().optional(),
  verify_problem: z.string().optional(),
  fallback: z.object({ model: z.string(), endpoint_host: z.string() }).optional(),
  ...choicesShape,
});
type ModelOutput = z.input<typeof modelOutput>;

export const listSupportedModels = defineTool({
  name: 'list_supported_models',
  title: 'List supported models',
  description:
    'Show which models serve chat, images, audio and video here: the default, and the choices for model with hints, prices and retirement dates; if a tool is not available, why. Use it before choosing a model, or after a "not configured" error; not before every call, as each tool has a default. Example: {"verify": true}. Free.',
  activity: 'querying the upstreams',
  annotations: { readOnlyHint: true, idempotentHint: true },
  input: z.strictObject({
    verify: z.boolean().optional().describe('Also ask the upstream whether each model exists and when it will be shut down.'),
  }),
  output: z.object({
    models: z.array(modelOutput),
    storage: z.object({
      configured: z.boolean(),
      missing: z.array(z.string()).optional(),
    }),
  }),

  async handler({ verify }, context) {
    const described = CAPABILITIES.map((capability) => describe(capability, context));
    // First, so that the choices come from the list that verification has waited for.
    const verified = verify ? await Promise.all(described.map((model) => withVerification(model, context))) : described;
    const models = await Promise.all(verified.map((model) => withChoices(model, context)));
    const missing = [...context.media.missing];
    return {
      models,
      storage: missing.length === 0 ? { configured: true } : { configured: false, missing },
    };
  },

  present: (output) => [{ type: 'text', text: JSON.stringify(output) }],
});

function describe(capability: Capability, { upstreams, media }: ToolContext): ModelOutput {
  const upstream = upstreams[capability];
  const noStorage = STORING.has(capability) && media.missing.length > 0;
  const reasons = [
    ...(upstream.available ? [] : [upstream.reason]),
    ...(noStorage ? [`storage is not configured: ${media.missing.join(', ')}`] : []),
  ];
  const fallback = upstream.available ? upstream.fallback?.upstream : undefined;
  return {
    capability,
    tool: TOOL_OF[capability],
    provider: upstream.provider,
    ...(upstream.provider === 'azure' ? { deployment: upstream.model } : { model: upstream.model }),
    endpoint_host: upstream.endpointHost,
    available: reasons.length === 0,
    ...(fallback && { fallback: { model: fallback.model, endpoint_host: fallback.endpointHost } }),
    ...(reasons.length > 0 && { reason: reasons.join('; ') }),
  };
}

async function withChoices(model: ModelOutput, context: ToolContext): Promise<ModelOutput> {
  const upstream = context.upstreams[model.capability];
  return upstream.available && model.available ? { ...model, ...(await choicesOf(model.capability, upstream, context)) } : model;
}

async function withVerification(model: ModelOutput, context: ToolContext): Promise<ModelOutput> {
  const upstream = context.upstreams[model.capability];
  return upstream.available ? { ...model, ...(await verifyOne(upstream, context)) } : model;
}

/** A model list that cannot be read is reported, not thrown: the rest of the result is still useful. */
async function verifyOne(upstream: Upstream, { models, signal }: ToolContext): Promise<Partial<ModelOutput>> {
  try {
    const list = await models.list(upstream, { timeoutMs: VERIFY_WAIT_MS, signal });
    const found = list.find(({ id }) => id === upstream.model);
    if (found) return { exists: true, ...(found.shutdown_date && { shutdown_date: found.shutdown_date }) };
    if (upstream.provider === 'azure')
      return { verify_problem: 'Azure lists base models, and none of them has the name of this deployment.' };
    return { exists: false };
  } catch (error) {
    if (error instanceof TimeLimitError) return { verify_problem: 'The upstream has not listed its models in time.' };
    if (error instanceof GatewayError && error.failure.kind !== 'cancelled') return { verify_problem: error.message };
    throw error;
  }
}
