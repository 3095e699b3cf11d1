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
  const usage = { input_tokens: 10, output_tokens: 1000 * images.length, total_tokens: 10 + 1000 * images.length };
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
