import sharp from 'sharp';
import { z } from 'zod';
import { ApiError, parseBody } from './errors.ts';
import { assertModel } from './models.ts';
import { sceneSvg } from './scene/scene.ts';

const body = z.strictObject({
  prompt: z.string().min(1).max(32_000),
  model: z.string(),
  n: z.int().min(1).max(10).nullish(),
  size: z.string().nullish(),
  quality: z.enum(['auto', 'low', 'medium', 'high', 'xhigh', 'max', 'standard', 'hd']).nullish(),
  background: z.enum(['auto', 'opaque', 'transparent']).nullish(),
  moderation: z.enum(['auto', 'low']).nullish(),
  output_format: z.enum(['png', 'jpeg', 'webp']).nullish(),
  output_compression: z.int().min(0).max(100).nullish(),
  style: z.enum(['vivid', 'natural']).nullish(),
  response_format: z.enum(['url', 'b64_json']).nullish(),
  safety_identifier: z.string().max(64).nullish(),
  user: z.string().optional(),
});
type ImageBody = z.output<typeof body>;

/** POST /images/generations. The `compatible-image` model answers with URLs, the GPT image models with base64. */
export async function generateImages(
  raw: unknown,
  keepFile: (bytes: Uint8Array, contentType: string) => string,
  azure: boolean,
): Promise<object> {
  const request = parseBody(body, raw);
  assertModel(request.model);
  assertSupported(request, azure);
  const { width, height } = sizeOf(request.size ?? 'auto');
  const format = request.output_format ?? 'png';
  const images = await Promise.all(Array.from({ length: request.n ?? 1 }, (_, index) => draw(request, width, height, index)));
  const data = images.map((bytes) =>
    request.model === 'compatible-image'
      ? { url: keepFile(bytes, `image/${format}`), revised_prompt: `${request.prompt}, in detail` }
      : { b64_json: Buffer.from(bytes).toString('base64') },
  );
  const usage = usageOf(request, { width, height }, 0, images.length);
  return { created: Math.floor(Date.now() / 1000), data, output_format: format, size: `${width}x${height}`, usage };
}

function assertSupported(request: ImageBody, azure: boolean): void {
  if (request.model.startsWith('gpt-image')) {
    for (const param of ['style', 'response_format'] as const) {
      if (request[param] != null) throw new ApiError(400, `Unknown parameter: '${param}'.`, 'unknown_parameter', param);
    }
  }
  if (azure && request.output_format === 'webp')
    throw new ApiError(400, 'output_format webp is not supported.', 'invalid_value', 'output_format');
  if (request.background === 'transparent' && request.output_format === 'jpeg') {
    throw new ApiError(400, 'Transparent background is not supported for JPEG output format.', 'invalid_value', 'background');
  }
  if (request.output_compression != null && (request.output_format ?? 'png') === 'png') {
    throw new ApiError(
      400,
      'Compression less than 100 is not supported for PNG output format',
      'invalid_png_output_compression',
      'output_compression',
    );
  }
  if (request.prompt.includes('[refuse]')) {
    throw new ApiError(400, 'Your request was rejected by the safety system.', 'moderation_blocked', null);
  }
}

type Quality = { quality?: string | null | undefined };

/** What OpenAI's calculator says of `gpt-image-2` at 1024x1024 and 1536x1024; that is not linear, but smaller images take less. */
const TOKENS: Readonly<Record<string, readonly [square: number, wide: number]>> = {
  low: [196, 158],
  medium: [1756, 1372],
  high: [7024, 5488],
};

function usageOf({ quality }: Quality, { width, height }: { width: number; height: number }, inputs: number, outputs: number): object {
  const [square, wide] = TOKENS[quality ?? 'medium'] ?? [1756, 1372];
  const each = width === height ? square : wide;
  const output_tokens = outputs * Math.ceil(each * Math.min(1, (width * height) / 1024 ** 2));
  const input_tokens_details = { text_tokens: 10, image_tokens: 500 * inputs };
  const input_tokens = 10 + 500 * inputs;
  return { input_tokens, input_tokens_details, output_tokens, total_tokens: input_tokens + output_tokens };
}

function sizeOf(size: string): { width: number; height: number } {
  const [width = 0, height = 0] = size === 'auto' ? [1024, 1024] : size.split('x').map(Number);
  const ratio = width / height;
  const usable =
    width % 16 === 0 &&
    height % 16 === 0 &&
    ratio >= 1 / 3 &&
    ratio <= 3 &&
    width <= 3840 &&
    height <= 3840 &&
    width * height <= 3840 * 2160;
  if (!usable)
    throw new ApiError(
      400,
      `Invalid value: '${size}'. Width and height must be divisible by 16, at most 3840x2160, with a ratio from 1:3 to 3:1.`,
      'invalid_value',
      'size',
    );
  return { width, height };
}

/** A scene that shows the prompt. */
async function draw(
  { prompt, background, output_format, output_compression }: ImageBody,
  width: number,
  height: number,
  index: number,
): Promise<Uint8Array> {
  const isTransparent = background === 'transparent';
  const image = sharp(Buffer.from(sceneSvg({ prompt, index, width, height, isTransparent })));
  const quality = output_compression == null ? {} : { quality: Math.max(1, output_compression) };
  if (output_format === 'jpeg') return image.flatten().jpeg(quality).toBuffer();
  if (output_format === 'webp') return image.webp(quality).toBuffer();
  return image.png().toBuffer();
}

const editBody = z.strictObject({
  prompt: z.string().min(1).max(32_000),
  model: z.string(),
  image: z.union([z.instanceof(File), z.array(z.instanceof(File)).min(1).max(16)]),
  mask: z.instanceof(File).optional(),
  n: z.coerce.number().int().min(1).max(10).optional(),
  size: z.string().optional(),
  quality: z.enum(['auto', 'low', 'medium', 'high', 'xhigh', 'max', 'standard']).optional(),
  background: z.enum(['auto', 'opaque', 'transparent']).optional(),
  input_fidelity: z.enum(['low', 'high']).optional(),
  output_format: z.enum(['png', 'jpeg', 'webp']).optional(),
  output_compression: z.coerce.number().int().min(0).max(100).optional(),
  safety_identifier: z.string().max(64).optional(),
});

/**
 * POST /images/edits, a form: the mean of the images in negative, so that the result depends on all of them; with a mask,
 * only where that is transparent.
 */
export async function editImages(form: unknown, azure: boolean): Promise<object> {
  const { 'image[]': several, ...fields } = form as Record<string, unknown>;
  const request = parseBody(editBody, { ...fields, ...(several !== undefined && { image: [several].flat() }) });
  assertModel(request.model);
  if (request.model.startsWith('gpt-image-2') && request.input_fidelity)
    throw new ApiError(
      400,
      `The model '${request.model}' does not support the 'input_fidelity' parameter.`,
      'invalid_input_fidelity_model',
      'input_fidelity',
    );
  assertSupported({ ...request, n: 1 } as ImageBody, azure);
  const files = await Promise.all([request.image].flat().map(async (file) => Buffer.from(await file.arrayBuffer())));
  const first = await sharp(files[0]).metadata();
  const { width, height } = request.size && request.size !== 'auto' ? sizeOf(request.size) : first;
  const mask = request.mask && Buffer.from(await request.mask.arrayBuffer());
  if (mask && !isSameSize(await sharp(mask).metadata(), first))
    throw new ApiError(400, 'Invalid mask image format - mask size does not match image size', 'invalid_image_format', 'mask');
  const pixels = await Promise.all(files.map((file) => pixelsOf(file, width, height)));
  const holes = mask && (await pixelsOf(mask, width, height));
  const edited = Buffer.alloc(width * height * 4);
  for (let at = 0; at < edited.length; at++) {
    const mean = pixels.reduce((sum, image) => sum + (image[at] ?? 0), 0) / pixels.length;
    const isKept = holes !== undefined && (holes[at - (at % 4) + 3] ?? 0) > 0;
    edited[at] = at % 4 === 3 ? 255 : isKept ? (pixels[0]?.[at] ?? 0) : 255 - mean;
  }
  const format = request.output_format ?? 'png';
  const bytes = await sharp(edited, { raw: { width, height, channels: 4 } })
    .toFormat(format)
    .toBuffer();
  const data = Array.from({ length: request.n ?? 1 }, () => ({ b64_json: bytes.toString('base64') }));
  const usage = usageOf(request, { width, height }, files.length, data.length);
  return { created: Math.floor(Date.now() / 1000), data, output_format: format, size: `${width}x${height}`, usage };
}

const pixelsOf = (file: Buffer, width: number, height: number) =>
  sharp(file).resize(width, height, { fit: 'fill' }).ensureAlpha().raw().toBuffer();

function isSameSize(a: { width: number; height: number }, b: { width: number; height: number }): boolean {
  return a.width === b.width && a.height === b.height;
}
