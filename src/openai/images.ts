import type { OpenAI } from 'openai';
import * as z from 'zod';
import { GatewayError } from '../errors.ts';
import { MAX_IMAGE_BYTES, MAX_IMAGE_TEXT_BYTES, UPSTREAM_TIMEOUT_MS } from '../limits.ts';
import { guardBody } from '../streams/body.ts';
import { callUpstream } from './call-upstream.ts';
import { usageSchema } from './chat.ts';
import { INLINE, type InlineImagesOptions } from './inline-images.ts';
import { observe } from './observe.ts';
import { bodyOptions, readInlineJson, unexpectedBody } from './read-response.ts';
import type { Upstream } from './upstreams.ts';

export type ImageRequest = OpenAI.ImageGenerateParamsNonStreaming;

/** What is edited, and where: the transparent part of the mask. */
export type InputImages = Readonly<{ images: readonly File[]; mask?: File }>;

export type ImageOptions = Readonly<{
  signal: AbortSignal;
  /** Images to edit, or to go by; without them, one is generated from the prompt alone. */
  inputs?: InputImages | undefined;
  /** Further images are skipped. */
  maxImages: number;
  /** Receives each inline image as it arrives. See {@link InlineImagesOptions}. */
  onImage: InlineImagesOptions['onImage'];
}>;

/** One entry of `data`. */
type GeneratedImage = Readonly<{
  /** Where the image is: the index passed to `onImage`, or a URL. */
  source: { inline: number } | { url: string } | { problem: string };
  revisedPrompt?: string | undefined;
}>;

export type ImageResponse = Readonly<{
  images: readonly GeneratedImage[];
  /** Number of images beyond `maxImages`. */
  surplus: number;
  usage?: Record<string, unknown> | undefined;
  /** Why the response ended early; the images before that are kept. */
  failure?: GatewayError;
}>;

/** Size of base64 relative to the decoded bytes, with headroom. */
const BASE64_FACTOR = 1.5;

const entrySchema = z.object({
  b64_json: z.string().nullish(),
  url: z.string().nullish(),
  revised_prompt: z.string().nullish().catch(null),
});
const responseSchema = z.object({ data: z.array(entrySchema).min(1), usage: usageSchema });

/**
 * Generates images (https://platform.openai.com/docs/api-reference/images/create), or edits some
 * (https://platform.openai.com/docs/api-reference/images/createEdit). Inline images are passed to `onImage`
 * while the response is read, so that only one needs to be in memory. Once sent, the request outlives its client.
 */
export function createImages(upstream: Upstream, request: ImageRequest, options: ImageOptions): Promise<ImageResponse> {
  const operation = options.inputs ? 'image_edit' : 'image_generation';
  return observe(upstream, { operation, model: request.model ?? undefined }, () => create(upstream, request, options));
}

async function create(upstream: Upstream, request: ImageRequest, options: ImageOptions): Promise<ImageResponse> {
  const startMs = upstream.clock.now();
  const { inputs } = options;
  const response = await callUpstream(upstream, { paid: true, signal: options.signal, finish: true }, async (until) => {
    const { images } = await upstream.client();
    const sent = inputs ? images.edit(toEdit(request, inputs), { signal: until }) : images.generate(request, { signal: until });
    return sent.asResponse();
  });
  let taken = 0;
  const maxBytes = MAX_IMAGE_TEXT_BYTES + options.maxImages * MAX_IMAGE_BYTES * BASE64_FACTOR;
  const timeoutMs = startMs + UPSTREAM_TIMEOUT_MS - upstream.clock.now();
  const limits = bodyOptions(upstream, { paid: true, maxBytes, timeoutMs, minBytesPerMinute: 0 });
  try {
    const json = await readInlineJson(guardBody(response, limits), upstream, {
      maxImages: options.maxImages,
      maxImageBytes: MAX_IMAGE_BYTES,
      maxTextBytes: MAX_IMAGE_TEXT_BYTES,
      onImage: (index, image) => {
        taken = index + 1;
        return options.onImage(index, image);
      },
    });
    return parseResponse(json, upstream, options.maxImages);
  } catch (error) {
    if (!(error instanceof GatewayError) || taken === 0) throw error;
    const images = Array.from({ length: taken }, (_, inline) => ({ source: { inline } }));
    return { images, surplus: 0, failure: error };
  }
}

/** One image is sent as `image`, several as `image[]`. */
function toEdit(request: ImageRequest, { images: [first, ...more], mask }: InputImages): OpenAI.ImageEditParamsNonStreaming {
  const image = more.length === 0 ? first : [first, ...more];
  return { ...request, image, ...(mask && { mask }) } as OpenAI.ImageEditParamsNonStreaming;
}

function parseResponse(json: unknown, upstream: Upstream, maxImages: number): ImageResponse {
  const response = responseSchema.safeParse(json);
  if (!response.success) throw unexpectedBody(upstream, 'no images', true, response.error);
  const { data, usage } = response.data;
  return {
    images: data.slice(0, maxImages).map((entry) => ({ source: sourceOf(entry), revisedPrompt: entry.revised_prompt ?? undefined })),
    surplus: Math.max(0, data.length - maxImages),
    usage: usage ?? undefined,
  };
}

/** GPT image models return base64; compatible servers may return a URL, or a data: URL in either field. */
function sourceOf({ b64_json, url }: z.output<typeof entrySchema>): GeneratedImage['source'] {
  const text = b64_json || url || '';
  if (text.startsWith(INLINE)) return { inline: Number(text.slice(INLINE.length)) };
  return /^https?:\/\//i.test(text) ? { url: text } : { problem: 'an image has neither b64_json nor an http(s) url' };
}
