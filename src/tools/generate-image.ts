import * as z from 'zod';
import {
  checkImages,
  estimateImages,
  formatRules,
  imageOptions,
  imageOutput,
  imagePrompt,
  imageUrls,
  makeImages,
  presentImages,
} from './make-images.ts';
import { defineTool } from './tool.ts';

const imageInput = formatRules
  .reduce(
    (input, { isKept, ...rule }) => input.refine(isKept, rule),
    z.strictObject({
      prompt: imagePrompt('What to show'),
      ...imageOptions,
      moderation: z.enum(['auto', 'low']).optional().describe('Content filter: low is less strict.'),
      style: z.enum(['vivid', 'natural']).optional().describe('For older models; GPT image models reject it.'),
      reference_images: imageUrls.optional().describe('URLs of 1 to 16 images to go by: faces, products, a style. As for edit_image.'),
    }),
  )
  .refine(({ reference_images, moderation, style }) => !reference_images || (moderation === undefined && style === undefined), {
    path: ['reference_images'],
    message: 'cannot be combined with moderation or style',
  });

export const generateImage = defineTool({
  name: 'generate_image',
  title: 'Generate image',
  description:
    'Generate images from a text prompt; they are stored, and their URLs returned. Use it for pictures and illustrations; not for charts and diagrams, which code draws exactly; to change an existing image, use edit_image. Example: {"prompt": "A lighthouse in a storm, oil painting", "size": "1536x1024", "quality": "low"}. Takes seconds to minutes. Each image is billed: more than a chat or speech call, far less than a video.',
  activity: 'generating image',
  annotations: { destructiveHint: false },
  input: imageInput,
  aliases: { references: 'reference_images', reference_image: 'reference_images', reference_image_urls: 'reference_images' },
  output: imageOutput,
  app: true,
  job: { runs: 'always' },
  check: checkImages,
  estimate: ({ reference_images: urls, ...input }, context) => estimateImages(input, urls?.length ?? 0, context),

  handler({ reference_images: urls, ...input }, context) {
    return makeImages(input, urls && { argument: 'reference_images', urls }, context);
  },

  present: presentImages,
  pictures: ({ images }) => images,
});
