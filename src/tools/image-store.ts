import { describeFailure, GatewayError } from '../errors.ts';
import { DownloadError } from '../media/download.ts';
import { inspectImage } from '../media/formats.ts';
import type { ImageResponse } from '../openai/images.ts';
import { unexpectedBody } from '../openai/read-response.ts';
import type { Upstream } from '../openai/upstreams.ts';
import { storeBilled } from './stored-file.ts';
import type { ToolContext } from './tool.ts';

type StoredImage = Awaited<ReturnType<typeof storeBilled>> & { width: number; height: number };
type Outcome = PromiseSettledResult<StoredImage>;

/** When an upload takes longer, the next images are read into memory, so that the upstream does not reset the connection. */
const STALL_MS = 10_000;

/** Stores the images of one response in sequence. A failure does not affect the other images. */
export function createImageStore(upstream: Upstream, heldBytes: number, context: ToolContext) {
  const outcomes = new Map<number, Promise<Outcome>>();
  /** What could not be stored, but still may be. */
  const held = new Map<number, Uint8Array<ArrayBuffer>>();
  let tail: Promise<unknown> = Promise.resolve();
  let waitingBytes = 0;

  /** Loads and stores one image after all the previous ones. */
  function enqueue(load: () => Promise<Uint8Array<ArrayBuffer>>): Promise<Outcome> {
    const outcome = tail.then(() => settle(load().then((bytes) => storeImage(bytes, upstream, context))));
    tail = outcome;
    return outcome;
  }

  return {
    /** Resolves to whether the memory of `image` can be reused. */
    async take(index: number, image: Uint8Array<ArrayBuffer> | { problem: string }): Promise<boolean> {
      if ('problem' in image) {
        outcomes.set(index, settle(Promise.reject(unexpectedBody(upstream, `an image ${image.problem}`, true))));
        return true;
      }
      const outcome = enqueue(async () => image);
      outcomes.set(index, outcome);
      waitingBytes += image.byteLength;
      const stored = outcome.then((settled) => {
        if (mayHold(image) && isLost(settled)) {
          held.set(index, image);
          return false;
        }
        waitingBytes -= image.byteLength;
        return true;
      });
      const mayHoldMore = waitingBytes + image.byteLength <= heldBytes;
      return mayHoldMore ? orFalseAfter(stored, STALL_MS, context) : stored;
    },

    finish,
  };

  /** Only for a job, which somebody can ask again. */
  function mayHold({ byteLength }: Uint8Array): boolean {
    const heldAlready = [...held.values()].reduce((sum, image) => sum + image.byteLength, 0);
    return context.isKept && heldAlready + byteLength <= heldBytes;
  }

  /** The stored images and the failures. Throws the first failure when every image failed. */
  async function finish(response: ImageResponse): Promise<ReturnType<typeof report>> {
    const { images, surplus, failure } = response;
    const all = await Promise.all(
      images.map(async ({ source, revisedPrompt }) => {
        const outcome = await ('inline' in source ? outcomes.get(source.inline) : enqueue(() => load(source, upstream, context)));
        return { outcome: outcome ?? (await missing(upstream)), revisedPrompt };
      }),
    );
    try {
      return report(all, surplus, failure);
    } catch (error) {
      if (held.size === 0 || !(error instanceof GatewayError)) throw error;
      const retry = { run: () => storeHeld(response), drop: () => held.clear() };
      throw new GatewayError(error.failure, { cause: error, retry });
    }
  }

  async function storeHeld(response: ImageResponse): Promise<ReturnType<typeof report>> {
    for (const [index, image] of held) {
      const outcome = enqueue(async () => image);
      outcomes.set(index, outcome);
      if (!isLost(await outcome)) held.delete(index);
    }
    return finish(response);
  }
}

/** Whether an image was paid for and could not be stored. */
function isLost(outcome: Outcome): boolean {
  return outcome.status === 'rejected' && outcome.reason instanceof GatewayError && outcome.reason.failure.kind === 'media_lost';
}

/** `stored`, or false if it takes longer than `ms`. */
async function orFalseAfter(stored: Promise<boolean>, ms: number, { clock }: ToolContext): Promise<boolean> {
  const finished = new AbortController();
  const stall = clock.sleep(ms, finished.signal).then(
    () => false,
    () => false,
  );
  return Promise.race([stored, stall]).finally(() => finished.abort());
}

async function load(source: { url: string } | { problem: string }, upstream: Upstream, { downloadImage }: ToolContext) {
  if ('problem' in source) throw unexpectedBody(upstream, source.problem, true);
  return downloadImage(source.url, upstream).catch((cause: unknown) => {
    const why = cause instanceof DownloadError ? `: ${cause.message}` : '';
    throw unexpectedBody(upstream, `an image URL could not be read${why}`, true, cause);
  });
}

const missing = (upstream: Upstream) => settle(Promise.reject(unexpectedBody(upstream, 'an image is missing', true)));

async function storeImage(bytes: Uint8Array<ArrayBuffer>, upstream: Upstream, context: ToolContext): Promise<StoredImage> {
  const info = inspectImage(bytes);
  if (!info) throw unexpectedBody(upstream, 'an image is not a PNG, JPEG, WebP or GIF file', true);
  const { media } = context;
  const name = media.newName('image', info.format);
  const file = await storeBilled(name, 'the image was', context, () => media.save(name, bytes, info.format, false));
  return { ...file, width: info.width, height: info.height };
}

async function settle(work: Promise<StoredImage>): Promise<Outcome> {
  const [outcome] = await Promise.allSettled([work]);
  return outcome;
}

type Reported = Readonly<{ outcome: Outcome; revisedPrompt: string | undefined }>;

function report(all: readonly Reported[], surplus: number, failure: GatewayError | undefined) {
  const images = all.flatMap(({ outcome, revisedPrompt }) =>
    outcome.status === 'fulfilled' ? [{ ...outcome.value, ...(revisedPrompt && { revised_prompt: revisedPrompt }) }] : [],
  );
  const reasons = all.flatMap(({ outcome }, index) =>
    outcome.status === 'rejected' ? [{ index, reason: outcome.reason as unknown }] : [],
  );
  if (images.length === 0) throw allFailed(reasons[0]?.reason, all.length);
  const failures = [
    ...reasons.map(({ index, reason }) => `Image ${index + 1} of ${all.length} was generated but not stored: ${describeReason(reason)}`),
    ...(surplus > 0 ? [`The upstream returned ${surplus} more images than requested; they were not stored.`] : []),
    ...(failure ? [`The response ended early: ${describeReason(failure)}`] : []),
  ];
  return failures.length === 0 ? { images } : { images, failures };
}

function describeReason(reason: unknown): string {
  return reason instanceof GatewayError ? describeFailure(reason.failure) : 'Internal error.';
}

function allFailed(reason: unknown, count: number): unknown {
  if (!(reason instanceof GatewayError) || reason.failure.kind !== 'media_lost' || count === 1) return reason;
  return new GatewayError({ ...reason.failure, what: `the ${count} images were` }, { cause: reason });
}
