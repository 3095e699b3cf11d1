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

/** https://platform.openai.com/docs/api-reference/images/createEdit */
const editInput = formatRules.reduce(
  (input, { isKept, ...rule }) => input.refine(isKept, rule),
  z.strictObject({
    prompt: imagePrompt('What to change, and what to keep'),
    images: imageUrls.describe(
      'URLs of 1 to 16 PNG, JPEG or WebP images, of this gateway or on an allowed host; say in the prompt what each is for.',
    ),
    mask: z.string().max(2048).optional().describe('URL of a PNG as large as the first image: only its transparent areas are edited.'),
    input_fidelity: z
      .enum(['low', 'high'])
      .optional()
      .describe('high keeps faces and logos closer to the input. Newer models always do, and reject it.'),
    ...imageOptions,
  }),
);

export const editImage = defineTool({
  name: 'edit_image',
  title: 'Edit image',
  description:
    'Change existing images, or combine several; the results are stored, and their URLs returned. Use it to retouch, restyle, extend, add or remove things; not for a new picture, which generate_image makes. Example: {"prompt": "Make it night; keep the lighthouse as it is.", "images": ["https://…/lighthouse.png"]}. Takes seconds to minutes. Each image is billed like a generated one, and the input as well.',
  activity: 'editing image',
  annotations: { destructiveHint: false },
  input: editInput,
  aliases: { image: 'images', image_url: 'images', image_urls: 'images', mask_url: 'mask' },
  output: imageOutput,
  app: true,
  job: { runs: 'always' },
  check: checkImages,
  estimate: ({ images: urls, mask, ...input }, context) => estimateImages(input, urls.length + (mask === undefined ? 0 : 1), context),

  handler({ images: urls, mask, ...input }, context) {
    return makeImages(input, { argument: 'images', urls, mask }, context);
  },

  present: presentImages,
  pictures: ({ images }) => images,
});
