import type * as z from 'zod';
import { GatewayError, isTransient } from '../errors.ts';
import { MAX_VIDEO_BYTES, MAX_VIDEO_IMAGE_BYTES } from '../limits.ts';
import { HEAD_BYTES, inspectImage, isMp4, MP4 } from '../media/formats.ts';
import type { MediaStore, SavedMedia } from '../media/media-store.ts';
import { bodyOptions, unexpectedBody } from '../openai/read-response.ts';
import type { Upstream } from '../openai/upstreams.ts';
import { openVideo, type VideoJob } from '../openai/videos.ts';
import { openBody, readBody } from '../streams/body.ts';
import { DAY_MS } from '../utc-day.ts';
import { type storedFile, toFile } from './stored-file.ts';
import type { ToolContext } from './tool.ts';

type File = z.input<typeof storedFile>;

/** Downloads are free and repeatable, so the whole transfer is retried after a transient failure of storage or upstream. */
const VIDEO_ATTEMPTS = 2;
const RETRY_DELAY_MS = 2_000;
/** Returned by servers whose file is not ready although the job is completed. */
const NOT_READY_STATUSES = new Set([404, 409, 425]);
/** Possible extensions of a thumbnail or spritesheet, the most common first. */
const IMAGE_EXTENSIONS = ['webp', 'jpg', 'png', 'gif'];

/** Stores the files of a completed job unless they are already stored. Only a failure of the video itself is an error. */
export async function storeVideo(job: VideoJob, upstream: Upstream, context: ToolContext, withSpritesheet: boolean) {
  const video = toFile(await storeMp4(job, upstream, context));
  // In sequence, so that only one is in memory at a time.
  const thumbnail = await storeImage(job, 'thumbnail', upstream, context);
  const spritesheet = withSpritesheet ? await storeImage(job, 'spritesheet', upstream, context) : undefined;
  return { video, ...(thumbnail && { thumbnail }), ...(spritesheet && { spritesheet }) };
}

/** How many days back to search for an id alone: servers delete their videos after a while, stored files remain. */
const LOOKBACK_DAYS = 8;

/** The stored files of a job of which only the id is known. */
export async function findVideo(videoId: string, { media, clock }: ToolContext) {
  // Day 0 holds videos whose server reports no creation time.
  const days = [...Array.from({ length: LOOKBACK_DAYS }, (_, daysAgo) => clock.now() - daysAgo * DAY_MS), 0];
  const found = await Promise.all(days.map((dayMs) => media.find(media.jobName('video', dayMs, mp4File(videoId)))));
  const index = found.findIndex((file) => file !== undefined);
  const video = found[index];
  if (!video) return undefined;
  const thumbnail = await findImage({ id: videoId, createdAtMs: days[index] ?? 0 }, 'thumbnail', media);
  return { video: toFile(video), ...(thumbnail && { thumbnail: toFile(thumbnail) }) };
}

const mp4File = (videoId: string) => `${videoId}.${MP4.extension}`;

async function storeMp4(job: VideoJob, upstream: Upstream, context: ToolContext): Promise<SavedMedia> {
  const name = context.media.jobName('video', job.created_at * 1000, mp4File(job.id));
  for (let attempt = 1; ; attempt++) {
    // An upload may have succeeded although its response was lost.
    const found = await context.media.find(name);
    if (found) return found;
    try {
      return await downloadMp4(name, job, upstream, context);
    } catch (error) {
      if (attempt === VIDEO_ATTEMPTS || !isRetryable(error)) throw error;
      await context.clock.sleep(RETRY_DELAY_MS);
    }
  }
}

async function downloadMp4(name: string, job: VideoJob, upstream: Upstream, { media }: ToolContext): Promise<SavedMedia> {
  const response = await openVideo(upstream, job.id, 'video');
  const body = await openBody(response, HEAD_BYTES, bodyOptions(upstream, { paid: false, maxBytes: MAX_VIDEO_BYTES }));
  if (!isMp4(body.head)) {
    await body.reader.cancel();
    throw unexpectedBody(upstream, 'not an MP4 file', false);
  }
  return media.saveStream(name, { body: body.reader, repeatable: true }, MP4);
}

/** Whether another download may succeed: after an incomplete body, a file not ready yet, or a transient failure. */
function isRetryable(error: unknown): boolean {
  if (!(error instanceof GatewayError)) return false;
  const { failure } = error;
  return isTransient(failure) || (failure.kind === 'upstream_status' && NOT_READY_STATUSES.has(failure.status));
}

/** A thumbnail or spritesheet. Optional: if it fails, the result simply omits it. */
async function storeImage(job: VideoJob, variant: ImageVariant, upstream: Upstream, { media }: ToolContext): Promise<File | undefined> {
  const place = { id: job.id, createdAtMs: job.created_at * 1000 };
  try {
    const existing = await findImage(place, variant, media);
    if (existing) return toFile(existing);
    const response = await openVideo(upstream, job.id, variant);
    const bytes = await readBody(response, bodyOptions(upstream, { paid: false, maxBytes: MAX_VIDEO_IMAGE_BYTES }));
    const image = inspectImage(bytes);
    return image && toFile(await media.save(imageName(place, variant, image.format.extension, media), bytes, image.format, true));
  } catch (error) {
    if (error instanceof GatewayError) return undefined;
    throw error;
  }
}

type ImageVariant = 'thumbnail' | 'spritesheet';
type Place = Readonly<{ id: string; createdAtMs: number }>;

/** A stored thumbnail or spritesheet, in any format. */
async function findImage(place: Place, variant: ImageVariant, media: MediaStore): Promise<SavedMedia | undefined> {
  const found = await Promise.all(IMAGE_EXTENSIONS.map((extension) => media.find(imageName(place, variant, extension, media))));
  return found.find((file) => file !== undefined);
}

function imageName({ id, createdAtMs }: Place, variant: ImageVariant, extension: string, media: MediaStore): string {
  return media.jobName('video', createdAtMs, `${id}-${variant}.${extension}`);
}
