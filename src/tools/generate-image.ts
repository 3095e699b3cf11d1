import type { ContentBlock } from '@modelcontextprotocol/server';
import type { OpenAI } from 'openai';
import { z } from 'zod';
import { describeFailure, GatewayError } from '../errors.ts';
import { DownloadError, download } from '../media/download.ts';
import { inspectImage } from '../media/formats.ts';
import { callUpstream, requireUpstream } from '../openai/call-upstream.ts';
import type { Upstream } from '../openai/upstreams.ts';
import { resourceLinks, storedFile, toFile } from './stored-file.ts';
import { defineTool, modelArgument, type ToolContext, whatIsSet } from './tool.ts';

const MAX_DOWNLOAD_BYTES = 25 * 1024 * 1024;
const DOWNLOAD_TIMEOUT_MS = 60_000;
/** Reading costs nothing, and what cannot be read is lost. */
const DOWNLOAD_ATTEMPTS = 3;
const DOWNLOAD_BACKOFF_MS = 1_000;

/**
 * Names and limits are those of OpenAI's API.
 * https://platform.openai.com/docs/api-reference/images/create
 */
const imageInput = z
  .strictObject({
    prompt: z.string().min(1).max(32_000).describe('What to show, up to 32,000 characters.'),
    model: modelArgument,
    n: z.int().min(1).max(10).optional().describe('How many images, 1 to 10. Each is charged.'),
    size: z
      .string()
      .regex(/^(auto|[1-9]\d{1,4}x[1-9]\d{1,4})$/, 'must be auto or WIDTHxHEIGHT in pixels, such as 1024x1024')
      .optional()
      .describe('auto, or WIDTHxHEIGHT in pixels: 1024x1024, 1536x1024, 1024x1536, …'),
    quality: z.enum(['auto', 'low', 'medium', 'high', 'xhigh', 'max', 'standard', 'hd']).optional().describe('Higher costs more.'),
    background: z.enum(['auto', 'opaque', 'transparent']).optional().describe('transparent needs png or webp.'),
    moderation: z.enum(['auto', 'low']).optional().describe('How strictly content is filtered.'),
    output_format: z.enum(['png', 'jpeg', 'webp']).optional().describe('File format. Default: png.'),
    output_compression: z.int().min(0).max(100).optional().describe('0 to 100 %, for jpeg and webp.'),
    style: z.enum(['vivid', 'natural']).optional().describe('For older models; GPT image models refuse it.'),
    safety_identifier: z.string().min(1).max(64).optional().describe('Hashed id of the end user.'),
  })
  .refine(({ background, output_format }) => background !== 'transparent' || output_format !== 'jpeg', {
    path: ['background'],
    message: 'transparent needs output_format png or webp',
  })
  .refine(({ output_compression, output_format }) => output_compression === undefined || (output_format ?? 'png') !== 'png', {
    path: ['output_compression'],
    message: 'needs output_format jpeg or webp',
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
});

type StoredImage = z.input<typeof imageOutput>['images'][number];

const generatedSchema = z.object({
  b64_json: z.string().nullish(),
  url: z.string().nullish(),
  revised_prompt: z.string().nullish().catch(null),
});
type GeneratedImage = z.output<typeof generatedSchema>;

const answerSchema = z.object({
  data: z.array(generatedSchema).min(1),
  usage: z.looseObject({}).nullish().catch(null),
});

export const generateImage = defineTool({
  name: 'generate_image',
  title: 'Generate image',
  description:
    'Generate images from a text prompt. They are stored, and their URLs returned. Takes up to some minutes. Each image is charged.',
  activity: 'generating image',
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  input: imageInput,
  output: imageOutput,

  async handler(input, context) {
    const upstream = requireUpstream(context.upstreams, 'image');
    await context.media.assertReady();
    if (upstream.provider === 'azure' && input.output_format === 'webp') {
      throw new GatewayError({ kind: 'invalid_input', problems: ['output_format: Azure OpenAI makes png and jpeg, not webp'] });
    }
    const request = {
      ...whatIsSet(input),
      model: input.model ?? upstream.model,
      prompt: input.prompt,
    } satisfies OpenAI.ImageGenerateParamsNonStreaming;
    const raw = await callUpstream(upstream, { paid: true, signal: context.signal }, (signal) =>
      upstream.client.images.generate(request, { signal }),
    );
    const answer = answerSchema.safeParse(raw);
    if (!answer.success) throw brokenAnswer(upstream, 'it holds no images');
    const stored = await context.keepAlive(storeAll(answer.data.data, upstream, context));
    return { ...stored, model: request.model, ...(answer.data.usage && { usage: answer.data.usage }) };
  },

  present({ images, failures = [] }): ContentBlock[] {
    const lines = images.map(({ url, width, height, content_type }) => `${url} (${content_type}, ${width}x${height})`);
    return [{ type: 'text', text: [...lines, ...failures].join('\n') }, ...resourceLinks(images)];
  },
});

/** Stores all images in parallel. One that fails does not cost the others; when all fail, the first failure is thrown. */
async function storeAll(generated: GeneratedImage[], upstream: Upstream, context: ToolContext) {
  const outcomes = await Promise.allSettled(generated.map((image) => store(image, upstream, context)));
  const images = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const errors = outcomes.flatMap((outcome, index) =>
    outcome.status === 'rejected' ? [{ index, reason: outcome.reason as unknown }] : [],
  );
  if (images.length === 0) throw lost(errors[0]?.reason, generated.length);
  if (errors.length === 0) return { images };
  const failures = errors.map(({ index, reason }) => {
    const sentence = reason instanceof GatewayError ? describeFailure(reason.failure) : 'Internal error.';
    return `Image ${index + 1} of ${generated.length} was generated but not stored: ${sentence}`;
  });
  return { images, failures };
}

function lost(reason: unknown, count: number): unknown {
  if (!(reason instanceof GatewayError)) return reason;
  const what = count === 1 ? 'the image was' : `the ${count} images were`;
  return new GatewayError({ kind: 'media_lost', what, reason: reason.failure }, { cause: reason });
}

async function store(image: GeneratedImage, upstream: Upstream, context: ToolContext): Promise<StoredImage> {
  const bytes = await bytesOf(image, upstream, context);
  const info = inspectImage(bytes);
  if (!info) throw brokenAnswer(upstream, 'an image in it is not a PNG, JPEG, WebP or GIF file');
  const saved = await context.media.save(context.media.newName('image', info.format), bytes, info.format);
  return {
    ...toFile(saved),
    width: info.width,
    height: info.height,
    ...(image.revised_prompt && { revised_prompt: image.revised_prompt }),
  };
}

/** GPT image models answer with base64; compatible servers may answer with a URL, or with either as a data: URL. */
async function bytesOf(image: GeneratedImage, upstream: Upstream, context: ToolContext): Promise<Uint8Array<ArrayBuffer>> {
  const inline = image.b64_json || (image.url?.startsWith('data:') && image.url);
  if (inline) {
    try {
      return Uint8Array.fromBase64(inline.replace(/^data:[^,]*,/, ''));
    } catch (cause) {
      throw brokenAnswer(upstream, 'an image in it is not valid base64', cause);
    }
  }
  if (!image.url || !/^https?:\/\//i.test(image.url))
    throw brokenAnswer(upstream, 'an image in it has neither b64_json nor an http(s) url');
  return readUrl(image.url, upstream, context);
}

/** The image is paid for, so neither a passing fault nor a client that goes away ends this. */
async function readUrl(url: string, upstream: Upstream, { fetch, sleep }: ToolContext): Promise<Uint8Array<ArrayBuffer>> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await download(fetch, url, { maxBytes: MAX_DOWNLOAD_BYTES, timeoutMs: DOWNLOAD_TIMEOUT_MS });
    } catch (cause) {
      const why = cause instanceof DownloadError ? `: ${cause.message}` : '';
      const isFinal = cause instanceof DownloadError && !cause.passing;
      if (isFinal || attempt === DOWNLOAD_ATTEMPTS)
        throw brokenAnswer(upstream, `the URL of an image in it could not be read${why}`, cause);
      await sleep(DOWNLOAD_BACKOFF_MS * attempt);
    }
  }
}

function brokenAnswer(upstream: Upstream, problem: string, cause?: unknown): GatewayError {
  const { service, variables } = upstream;
  return new GatewayError({ kind: 'upstream_answer', service, problem, paid: true, variables }, { cause });
}
