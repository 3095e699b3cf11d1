import { z } from 'zod';
import { GatewayError } from '../errors.ts';
import { callUpstream } from '../openai/call-upstream.ts';
import { CAPABILITIES, type Capability, type Upstream } from '../openai/upstreams.ts';
import { defineTool, type ToolContext } from './tool.ts';

const TOOL_OF: Readonly<Record<Capability, string>> = {
  chat: 'chat_completion',
  image: 'generate_image',
  audio: 'synthesize_speech',
  video: 'generate_video',
};

const VERIFY_TIMEOUT_MS = 20_000;

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

const listedModel = z.object({ id: z.string(), shutdown_date: z.string().nullish().catch(null) });
type ListedModel = z.output<typeof listedModel>;

export const listSupportedModels = defineTool({
  name: 'list_supported_models',
  title: 'List supported models',
  description:
    'Show which model serves chat, images, audio and video here, whether each is available and, if not, why. Free. Call it before choosing a model, or after a "not configured" error.',
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

function verifyAll(models: ModelOutput[], { upstreams, signal }: ToolContext): Promise<ModelOutput[]> {
  return Promise.all(
    models.map(async (model) => {
      const upstream = upstreams[model.capability];
      return upstream.available ? { ...model, ...(await verifyOne(upstream, signal)) } : model;
    }),
  );
}

/** A list that cannot be had is told in words: the rest of the answer is still of use. */
async function verifyOne(upstream: Upstream, signal: AbortSignal): Promise<Partial<ModelOutput>> {
  try {
    const listed = await listModels(upstream, signal);
    const found = listed.find(({ id }) => id === upstream.model);
    if (found) return { exists: true, ...(found.shutdown_date && { shutdown_date: found.shutdown_date }) };
    if (upstream.provider === 'azure')
      return { verify_problem: 'Azure lists base models, and no base model has the name of this deployment.' };
    return { exists: false };
  } catch (error) {
    if (error instanceof GatewayError && error.failure.kind !== 'cancelled') return { verify_problem: error.message };
    throw error;
  }
}

async function listModels(upstream: Upstream, signal: AbortSignal): Promise<ListedModel[]> {
  const page = await callUpstream(upstream, { paid: false, signal, timeoutMs: VERIFY_TIMEOUT_MS }, (until) =>
    upstream.client.models.list({ signal: until }),
  );
  const models = z.array(listedModel).safeParse(page.data);
  if (models.success) return models.data;
  throw new GatewayError({ kind: 'upstream_answer', service: upstream.service, problem: 'it holds no list of models', paid: false });
}
