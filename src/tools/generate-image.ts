import type { ContentBlock } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { GatewayError, mapRetry } from '../errors.ts';
import { requireUpstream } from '../openai/call-upstream.ts';
import { createImages, type ImageRequest } from '../openai/images.ts';
import type { Upstream } from '../openai/upstreams.ts';
import { createImageStore } from './image-store.ts';
import { timeUpstream, tokensOf } from './measures.ts';
import { modelWarning, warningBlocks } from './model-warning.ts';
import { resourceLinks, storedFile } from './stored-file.ts';
import { defineTool, modelArgument, omitUndefined, type ToolContext } from './tool.ts';

/** Reserved even for a small image, which limits how many are in flight. */
const MIN_EXPECTED_BYTES = 4 * 1024 * 1024;

/**
 * Names and limits are those of OpenAI's API.
 * https://platform.openai.com/docs/api-reference/images/create
 */
const imageInput = z
  .strictObject({
    prompt: z.string().min(1).max(32_000).describe('What to show, up to 32,000 characters.'),
    model: modelArgument,
    n: z.int().min(1).max(10).optional().describe('How many images, 1 to 10. Each is billed.'),
    size: z
      .string()
      .regex(/^(auto|[1-9]\d{1,4}x[1-9]\d{1,4})$/, 'must be auto or WIDTHxHEIGHT in pixels, such as 1024x1024')
      .optional()
      .describe(
        'auto, or WIDTHxHEIGHT in pixels: 1024x1024 (square), 1536x1024 (landscape), 1024x1536 (portrait), … More pixels cost more.',
      ),
    quality: z
      .enum(['auto', 'low', 'medium', 'high', 'xhigh', 'max', 'standard', 'hd'])
      .optional()
      .describe(
        'low: fast, cheap drafts. medium: everyday use. high and above: fine detail and small text, at several times the cost. standard, hd: older models. Default: auto, the model decides.',
      ),
    background: z.enum(['auto', 'opaque', 'transparent']).optional().describe('transparent requires png or webp.'),
    moderation: z.enum(['auto', 'low']).optional().describe('Content filter: low is less strict.'),
    output_format: z.enum(['png', 'jpeg', 'webp']).optional().describe('File format. Default: png.'),
    output_compression: z.int().min(0).max(100).optional().describe('0 to 100%, for jpeg and webp.'),
    style: z.enum(['vivid', 'natural']).optional().describe('For older models; GPT image models reject it.'),
    safety_identifier: z.string().min(1).max(64).optional().describe('Hashed id of the end user.'),
  })
  .refine(({ background, output_format }) => background !== 'transparent' || output_format !== 'jpeg', {
    path: ['background'],
    message: 'transparent requires output_format png or webp',
  })
  .refine(({ output_compression, output_format }) => output_compression === undefined || (output_format ?? 'png') !== 'png', {
    path: ['output_compression'],
    message: 'requires output_format jpeg or webp',
  });

const imageOutput = z.object({
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
  warning: z.string().optional(),
});

export const generateImage = defineTool({
  name: 'generate_image',
  title: 'Generate image',
  description:
    'Generate images from a text prompt; they are stored, and their URLs returned. Use it for pictures and illustrations; not for charts and diagrams, which code draws exactly, nor to edit an existing image. Example: {"prompt": "A lighthouse in a storm, oil painting", "size": "1536x1024", "quality": "low"}. Takes seconds to minutes. Each image is billed: more than a chat or speech call, far less than a video.',
  activity: 'generating image',
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  input: imageInput,
  output: imageOutput,
  job: { runs: 'always' },

  async check({ output_format }, { upstreams, media }) {
    const { provider } = requireUpstream(upstreams, 'image');
    await media.assertReady();
    if (provider !== 'azure' || output_format !== 'webp') return;
    throw new GatewayError({ kind: 'invalid_input', problems: ['output_format: Azure OpenAI supports png and jpeg, not webp'] });
  },

  async handler(input, context) {
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
    try {
      return complete(await generateAndStore(upstream, request, count, admitted.bytes, context)) as z.input<typeof imageOutput>;
    } catch (error) {
      const isHeld = error instanceof GatewayError && error.retry !== undefined;
      if (!isHeld) admitted.release();
      throw mapRetry(error, complete, admitted.release);
    }
  },

  present({ images, failures = [], warning }): ContentBlock[] {
    const lines = images.map(({ url, width, height, content_type }) => `${url} (${content_type}, ${width}x${height})`);
    return [{ type: 'text', text: [...lines, ...failures].join('\n') }, ...resourceLinks(images), ...warningBlocks(warning)];
  },
});

/** The likely size of an image: PNG takes one to two bytes per pixel. */
function expectedBytes(size: string | undefined): number {
  const [width = 0, height = 0] = (size ?? 'auto').split('x').map(Number);
  return Math.max(MIN_EXPECTED_BYTES, width * height * 2 || 0);
}

async function generateAndStore(upstream: Upstream, request: ImageRequest, maxImages: number, heldBytes: number, context: ToolContext) {
  const store = createImageStore(upstream, heldBytes, context);
  const { signal } = context;
  const response = await timeUpstream(context, () => createImages(upstream, request, { signal, maxImages, onImage: store.take }));
  context.measure(tokensOf(response.usage));
  const usage = response.usage && { usage: response.usage };
  const stored = await store.finish(response);
  context.measure({ images: stored.images.length });
  return { ...stored, ...usage };
}
