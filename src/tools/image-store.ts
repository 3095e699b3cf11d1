import { describeFailure, GatewayError } from '../errors.ts';
import { DownloadError } from '../media/download.ts';
import { inspectImage } from '../media/formats.ts';
import type { ImageResponse } from '../openai/images.ts';
import { unexpectedBody } from '../openai/read-response.ts';
import type { Upstream } from '../openai/upstreams.ts';
import { storePaid } from './stored-file.ts';
import type { ToolContext } from './tool.ts';

type StoredImage = Awaited<ReturnType<typeof storePaid>> & { width: number; height: number };
type Outcome = PromiseSettledResult<StoredImage>;

/** While storage does not take an image for so long, the next ones are read into memory, so that the upstream does not reset. */
const STALL_MS = 10_000;

/** Stores the images of one response one after the other. One that fails does not cost the others. */
export function createImageStore(upstream: Upstream, heldBytes: number, context: ToolContext) {
  const outcomes = new Map<number, Promise<Outcome>>();
  let last: Promise<unknown> = Promise.resolve();
  let waitingBytes = 0;

  /** The outcome of storing `load`'s bytes, after those that came before. */
  function enqueue(load: () => Promise<Uint8Array<ArrayBuffer>>): Promise<Outcome> {
    const outcome = last.then(() => settle(load().then((bytes) => storeImage(bytes, upstream, context))));
    last = outcome;
    return outcome;
  }

  return {
    /** Resolves with whether the memory of `image` is free again. */
    async take(index: number, image: Uint8Array<ArrayBuffer> | { problem: string }): Promise<boolean> {
      if ('problem' in image) {
        outcomes.set(index, settle(Promise.reject(unexpectedBody(upstream, `an image in it ${image.problem}`, true))));
        return true;
      }
      const outcome = enqueue(async () => image);
      outcomes.set(index, outcome);
      waitingBytes += image.byteLength;
      const stored = outcome.then(() => {
        waitingBytes -= image.byteLength;
        return true;
      });
      const mayHoldMore = waitingBytes + image.byteLength <= heldBytes;
      return mayHoldMore ? firstOf(stored, STALL_MS, context) : stored;
    },

    /** What became of all images. When all have failed, the first failure is thrown. */
    async finish({ images, surplus, failure }: ImageResponse) {
      const all = await Promise.all(
        images.map(async ({ source, revisedPrompt }) => {
          const outcome = await ('inline' in source ? outcomes.get(source.inline) : enqueue(() => load(source, upstream, context)));
          return { outcome: outcome ?? (await missing(upstream)), revisedPrompt };
        }),
      );
      return report(all, surplus, failure);
    },
  };
}

/** `stored` when it comes in time, else false. */
async function firstOf(stored: Promise<boolean>, ms: number, { clock }: ToolContext): Promise<boolean> {
  const finished = new AbortController();
  const stall = clock.sleep(ms, finished.signal).then(
    () => false,
    () => false,
  );
  return Promise.race([stored, stall]).finally(() => finished.abort());
}

function load(source: { url: string } | { problem: string }, upstream: Upstream, { downloadImage }: ToolContext) {
  if ('problem' in source) throw unexpectedBody(upstream, source.problem, true);
  return downloadImage(source.url, upstream).catch((cause: unknown) => {
    const why = cause instanceof DownloadError ? `: ${cause.message}` : '';
    throw unexpectedBody(upstream, `the URL of an image in it could not be read${why}`, true, cause);
  });
}

const missing = (upstream: Upstream) => settle(Promise.reject(unexpectedBody(upstream, 'an image in it is missing', true)));

async function storeImage(bytes: Uint8Array<ArrayBuffer>, upstream: Upstream, context: ToolContext): Promise<StoredImage> {
  const info = inspectImage(bytes);
  if (!info) throw unexpectedBody(upstream, 'an image in it is not a PNG, JPEG, WebP or GIF file', true);
  const { media } = context;
  const name = media.newName('image', info.format);
  const file = await storePaid(name, 'the image was', context, () => media.save(name, bytes, info.format));
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
  if (images.length === 0) throw allLost(reasons[0]?.reason, all.length);
  const failures = [
    ...reasons.map(({ index, reason }) => `Image ${index + 1} of ${all.length} was generated but not stored: ${sentenceOf(reason)}`),
    ...(surplus > 0 ? [`The upstream returned ${surplus} more images than were asked for; they were not stored.`] : []),
    ...(failure ? [`The response ended early: ${sentenceOf(failure)}`] : []),
  ];
  return failures.length === 0 ? { images } : { images, failures };
}

function sentenceOf(reason: unknown): string {
  return reason instanceof GatewayError ? describeFailure(reason.failure) : 'Internal error.';
}

function allLost(reason: unknown, count: number): unknown {
  if (!(reason instanceof GatewayError) || reason.failure.kind !== 'media_lost' || count === 1) return reason;
  return new GatewayError({ ...reason.failure, what: `the ${count} images were` }, { cause: reason });
}
