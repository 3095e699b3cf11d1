import { withAdmitted } from '../admission.ts';
import { INPUT_IMAGE_TIMEOUT_MS, MAX_INPUT_IMAGE_BYTES, MAX_MASK_BYTES } from '../limits.ts';
import { type InputImage, invalidInput } from '../media/input-file.ts';
import type { InputImages } from '../openai/images.ts';
import type { ToolContext } from './tool.ts';

/** The URLs of images that a call passes, and the name of their argument. */
export type ImageUrls = Readonly<{ argument: string; urls: readonly string[]; mask?: string | undefined }>;

/** Those that the images API takes; the video API takes GIF, too. */
const FORMATS = ['png', 'jpeg', 'webp'];

/**
 * Reads the images that a call passes, one after the other, and does the work with them. The memory for each, and for its
 * copy in the request, is reserved before it is read. Throws `invalid_input` for what cannot be used; nothing was sent then.
 */
export function withInputImages<Result>(
  { argument, urls, mask }: ImageUrls,
  context: ToolContext,
  work: (images: InputImages) => Promise<Result>,
): Promise<Result> {
  const { maxInputBytes, signal } = context;
  let leftBytes = maxInputBytes;
  return withAdmitted(context.admission, signal, async (reserve) => {
    const images: InputImage[] = [];
    for (const [index, url] of urls.entries()) images.push(await read(url, `${argument}[${index}]`, MAX_INPUT_IMAGE_BYTES));
    const maskImage = mask === undefined ? undefined : await read(mask, 'mask', MAX_MASK_BYTES);
    assertFits(maskImage, images[0]);
    return work({ images: images.map(toFile), ...(maskImage && { mask: toFile(maskImage, 'mask') }) });

    async function read(url: string, name: string, mostBytes: number): Promise<InputImage> {
      const maxBytes = Math.floor(Math.min(leftBytes, mostBytes));
      if (maxBytes === 0)
        throw invalidInput(
          { argument: name },
          `the images together are larger than ${maxInputBytes} bytes, which is what this gateway takes`,
        );
      const onLength = (bytes = maxBytes) => reserve(2 * Math.min(bytes, maxBytes));
      const image = await context.readInputImage({ url, argument: name, maxBytes, timeoutMs: INPUT_IMAGE_TIMEOUT_MS, onLength }, signal);
      if (!FORMATS.includes(image.format.name)) throw invalidInput({ argument: name }, 'must be a PNG, JPEG or WebP image');
      leftBytes -= image.bytes.byteLength;
      return image;
    }
  });
}

function assertFits(mask: InputImage | undefined, first: InputImage | undefined): void {
  if (!mask || !first) return;
  if (mask.format.name !== 'png') throw invalidInput({ argument: 'mask' }, 'must be a PNG image, whose transparent part is edited');
  if (mask.width !== first.width || mask.height !== first.height)
    throw invalidInput(
      { argument: 'mask' },
      `must be as large as the first image: it is ${mask.width}x${mask.height}, and that is ${first.width}x${first.height}`,
    );
}

function toFile({ bytes, format }: InputImage, name: string | number): File {
  return new File([bytes], `${typeof name === 'number' ? `image-${name + 1}` : name}.${format.extension}`, { type: format.contentType });
}
