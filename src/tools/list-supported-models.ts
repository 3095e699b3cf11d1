import { z } from 'zod';
import { GatewayError } from '../errors.ts';
import { type ListedModel, listModels } from '../openai/models.ts';
import { CAPABILITIES, type Capability, type Upstream } from '../openai/upstreams.ts';
import { defineTool, type ToolContext } from './tool.ts';

const TOOL_OF: Readonly<Record<Capability, string>> = {
  chat: 'chat_completion',
  image: 'generate_image',
  audio: 'synthesize_speech',
  video: 'generate_video',
};

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
});
type ModelOutput = z.input<typeof modelOutput>;

export const listSupportedModels = defineTool({
  name: 'list_supported_models',
  title: 'List supported models',
  description:
    'Show which model serves chat, images, audio and video here, whether each is available and, if not, why. Use it before choosing a model, or after a "not configured" error; not before every call, as each tool has a default model. Example: {"verify": true}. Free.',
  activity: 'querying the upstreams',
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
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
    const models = CAPABILITIES.map((capability) => describe(capability, context));
    const missing = [...context.media.missing];
    return {
      models: verify ? await verifyAll(models, context) : models,
      storage: missing.length === 0 ? { configured: true } : { configured: false, missing },
    };
  },

  present: (output) => [{ type: 'text', text: JSON.stringify(output) }],
});

function describe(capability: Capability, { upstreams, media }: ToolContext): ModelOutput {
  const upstream = upstreams[capability];
  const noStorage = capability !== 'chat' && media.missing.length > 0;
  const reasons = [
    ...(upstream.available ? [] : [upstream.reason]),
    ...(noStorage ? [`storage is not configured: ${media.missing.join(', ')}`] : []),
  ];
  return {
    capability,
    tool: TOOL_OF[capability],
    provider: upstream.provider,
    ...(upstream.provider === 'azure' ? { deployment: upstream.model } : { model: upstream.model }),
    endpoint_host: upstream.endpointHost,
    available: reasons.length === 0,
    ...(reasons.length > 0 && { reason: reasons.join('; ') }),
  };
}

/** Queries each server once, even if it serves several capabilities. */
function verifyAll(models: ModelOutput[], { upstreams, signal }: ToolContext): Promise<ModelOutput[]> {
  const lists = new Map<string, Promise<ListedModel[]>>();
  const listOf = (upstream: Upstream): Promise<ListedModel[]> => {
    const { baseURL, apiKey } = upstream.client;
    const list = lists.get(`${baseURL} ${apiKey}`) ?? listModels(upstream, signal);
    lists.set(`${baseURL} ${apiKey}`, list);
    return list;
  };
  return Promise.all(
    models.map(async (model) => {
      const upstream = upstreams[model.capability];
      return upstream.available ? { ...model, ...(await verifyOne(upstream, listOf(upstream))) } : model;
    }),
  );
}

/** A model list that cannot be read is reported, not thrown: the rest of the result is still useful. */
async function verifyOne(upstream: Upstream, list: Promise<ListedModel[]>): Promise<Partial<ModelOutput>> {
  try {
    const found = (await list).find(({ id }) => id === upstream.model);
    if (found) return { exists: true, ...(found.shutdown_date && { shutdown_date: found.shutdown_date }) };
    if (upstream.provider === 'azure')
      return { verify_problem: 'Azure lists base models, and none of them has the name of this deployment.' };
    return { exists: false };
  } catch (error) {
    if (error instanceof GatewayError && error.failure.kind !== 'cancelled') return { verify_problem: error.message };
    throw error;
  }
}
