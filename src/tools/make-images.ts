import type { ContentBlock } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { GatewayError, mapRetry } from '../errors.ts';
import { MAX_INPUT_IMAGES } from '../limits.ts';
import { requireUpstream } from '../openai/call-upstream.ts';
import { createImages, type ImageRequest, type InputImages } from '../openai/images.ts';
import { tokensOf } from '../openai/tokens.ts';
import type { Upstream } from '../openai/upstreams.ts';
import { imageAmounts } from '../usage/amounts.ts';
import type { Estimate } from '../usage/cost.ts';
import { imagesEstimate } from '../usage/estimates.ts';
import { bill, costFields, costShape, estimateOf } from './billing.ts';
import { createImageStore } from './image-store.ts';
import { type ImageUrls, withInputImages } from './input-images.ts';
import { timeUpstream } from './measures.ts';
import { modelWarning, warningBlocks } from './model-warning.ts';
import { resourceLinks, storedFile } from './stored-file.ts';
import { modelArgument, omitUndefined, type ToolContext, UNPUBLISHED } from './tool.ts';

/** Reserved even for a small image, which limits how many are in flight. */
const MIN_EXPECTED_BYTES = 4 * 1024 * 1024;

export const imagePrompt = (what: string) => z.string().min(1).max(32_000).describe(`${what}, up to 32,000 characters.`);

/** Images that a call passes. A single URL counts as a list of one. */
export const imageUrls = z.array(z.string().max(2048)).min(1).max(MAX_INPUT_IMAGES);

/**
 * The arguments of images that are generated or edited. Names and limits are those of OpenAI's API.
 * https://platform.openai.com/docs/api-reference/images/create
 */
export const imageOptions = {
  model: modelArgument,
  n: z.int().min(1).max(10).optional().describe('How many images, 1 to 10. Each is billed.'),
  size: z
    .string()
    .regex(/^(auto|[1-9]\d{1,4}x[1-9]\d{1,4})$/, 'must be auto or WIDTHxHEIGHT in pixels, such as 1024x1024')
    .optional()
    .describe('auto, or WIDTHxHEIGHT in pixels: 1024x1024 (square), 1536x1024 (landscape), 1024x1536 (portrait), … More pixels cost more.'),
  quality: z
    .enum(['auto', 'low', 'medium', 'high', 'xhigh', 'max', 'standard', 'hd'])
    .optional()
    .describe(
      'low: cheap drafts. medium: everyday use. high and above: fine detail and small text, at several times the cost. standard, hd: older models. Default: auto.',
    ),
  background: z.enum(['auto', 'opaque', 'transparent']).optional().describe('transparent requires png or webp.'),
  output_format: z.enum(['png', 'jpeg', 'webp']).optional().describe('File format. Default: png.'),
  output_compression: z.int().min(0).max(100).optional().describe('0 to 100%, for jpeg and webp.'),
  safety_identifier: z.string().min(1).max(64).optional().describe('Hashed user id.'),
};

type ImageOptions = z.output<z.ZodObject<typeof imageOptions>>;

/** What no format can have. */
export const formatRules = [
  {
    isKept: ({ background, output_format }: Partial<ImageOptions>) => background !== 'transparent' || output_format !== 'jpeg',
    path: ['background'],
    message: 'transparent requires output_format png or webp',
  },
  {
    isKept: ({ output_compression, output_format }: Partial<ImageOptions>) =>
      output_compression === undefined || (output_format ?? 'png') !== 'png',
    path: ['output_compression'],
    message: 'requires output_format jpeg or webp',
  },
];

export const imageOutput = z.object({
  images: z.array(
    storedFile.extend({
      width: z.int(),
      height: z.int(),
      revised_prompt: z.string().optional(),
    }),
  ),
  failures: z.array(z.string()).optional(),
  model: z.string(),
  usage: z.looseObject({}).optional(),
  ...costShape,
  warning: z.string().optional().meta(UNPUBLISHED),
});

/** What cannot be made here, before anything is sent. */
export async function checkImages({ output_format }: Partial<ImageOptions>, { upstreams, media }: ToolContext): Promise<void> {
  const { provider } = requireUpstream(upstreams, 'image');
  await media.assertReady();
  if (provider !== 'azure' || output_format !== 'webp') return;
  throw new GatewayError({ kind: 'invalid_input', problems: ['output_format: Azure OpenAI supports png and jpeg, not webp'] });
}

type ImageInput = Partial<ImageOptions> & Readonly<{ prompt: string }>;

/** `inputs`: how many images are edited, with the mask. */
export function estimateImages(input: ImageInput, inputs: number, context: ToolContext): Estimate {
  const upstream = requireUpstream(context.upstreams, 'image');
  const { prompt, quality, size, n: count = 1 } = input;
  const model = input.model ?? upstream.model;
  const billedAs = context.prices.of(upstream, model)?.id ?? model;
  const tokens = imagesEstimate({ model: billedAs, prompt, inputs, count, quality, size });
  const cheaper = `${count > 1 ? 'fewer images, ' : ''}a lower quality, a smaller size or a cheaper model`;
  return estimateOf(context, upstream, { model, ways: [{ image: count }, tokens] }, cheaper);
}

/** Makes images and stores them: from the prompt, or also from the images that the call passes. */
export async function makeImages(
  input: ImageInput,
  inputs: ImageUrls | undefined,
  context: ToolContext,
): Promise<z.input<typeof imageOutput>> {
  const upstream = requireUpstream(context.upstreams, 'image');
  const model = input.model ?? upstream.model;
  const request: ImageRequest = { ...omitUndefined(input), model, prompt: input.prompt };
  context.measure({ model });
  const count = input.n ?? 1;
  const admitted = context.admission.admit(count * expectedBytes(input.size), context.signal);
  const complete = (stored: object) => {
    admitted.release();
    return { ...stored, model, ...modelWarning(context, upstream, model) };
  };
  const make = (images?: InputImages) => makeAndStore(upstream, request, images, { maxImages: count, heldBytes: admitted.bytes }, context);
  try {
    return complete(await (inputs ? withInputImages(inputs, context, make) : make())) as z.input<typeof imageOutput>;
  } catch (error) {
    const isHeld = error instanceof GatewayError && error.retry !== undefined;
    if (!isHeld) admitted.release();
    // What is held has been billed by this call, and not by the one that stores it.
    throw mapRetry(error, (stored) => complete({ ...stored, cost_usd: 0 }), admitted.release);
  }
}

export function presentImages({ images, failures = [], warning }: z.output<typeof imageOutput>): ContentBlock[] {
  const lines = images.map(({ url, width, height, content_type }) => `${url} (${content_type}, ${width}x${height})`);
  return [{ type: 'text', text: [...lines, ...failures].join('\n') }, ...resourceLinks(images), ...warningBlocks(warning)];
}

/** The likely size of an image: PNG takes one to two bytes per pixel. */
function expectedBytes(size: string | undefined): number {
  const [width = 0, height = 0] = (size ?? 'auto').split('x').map(Number);
  return Math.max(MIN_EXPECTED_BYTES, width * height * 2 || 0);
}

type Limits = Readonly<{ maxImages: number; heldBytes: number }>;

async function makeAndStore(
  upstream: Upstream,
  request: ImageRequest,
  inputs: InputImages | undefined,
  { maxImages, heldBytes }: Limits,
  context: ToolContext,
) {
  const store = createImageStore(upstream, heldBytes, context);
  const options = { signal: context.signal, inputs, maxImages, onImage: store.take };
  const response = await timeUpstream(context, () => createImages(upstream, request, options));
  context.measure(tokensOf(response.usage));
  const usage = response.usage && { usage: response.usage };
  const received = response.images.length + response.surplus;
  // What is lost of a response that ended early has been generated.
  const count = response.failure ? Math.max(received, maxImages) : received;
  const ways = [{ image: count }, ...(usage ? [imageAmounts(response.usage)] : [])];
  const cost = bill(context, upstream, { model: request.model as string, ways });
  const stored = await store.finish(response);
  context.measure({ images: stored.images.length });
  return { ...stored, ...usage, ...costFields(cost) };
}
