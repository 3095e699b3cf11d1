import type { z } from 'zod';
import { GatewayError, isTransient } from '../errors.ts';
import { MAX_VIDEO_BYTES, MAX_VIDEO_IMAGE_BYTES } from '../limits.ts';
import { HEAD_BYTES, inspectImage, isMp4, MP4 } from '../media/formats.ts';
import type { MediaStore, SavedMedia } from '../media/media-store.ts';
import { bodyOptions, unexpectedBody } from '../openai/read-response.ts';
import type { Upstream } from '../openai/upstreams.ts';
import { openVideo, type VideoJob } from '../openai/videos.ts';
import { openBody, readBody } from '../streams/body.ts';
import { type storedFile, toFile } from './stored-file.ts';
import type { ToolContext } from './tool.ts';

type File = z.input<typeof storedFile>;

/** A video can be downloaded again, so a transient fault of the storage or the upstream costs a second try. */
const VIDEO_ATTEMPTS = 2;
const RETRY_MS = 2_000;
/** What a server answers that is not ready yet with a file of a job that it calls completed. */
const NOT_READY = new Set([404, 409, 425]);
/** The endings that a thumbnail or a spritesheet can have, the usual one first. */
const IMAGE_EXTENSIONS = ['webp', 'jpg', 'png', 'gif'];

/** Stores the files of a completed job, as far as they are not stored already. Only the video itself has to succeed. */
export async function storeVideo(job: VideoJob, upstream: Upstream, context: ToolContext, withSpritesheet: boolean) {
  const video = toFile(await storeMp4(job, upstream, context));
  // One after the other, so that no more than one of them is in memory.
  const thumbnail = await storeImage(job, 'thumbnail', upstream, context);
  const spritesheet = withSpritesheet ? await storeImage(job, 'spritesheet', upstream, context) : undefined;
  return { video, ...(thumbnail && { thumbnail }), ...(spritesheet && { spritesheet }) };
}

/** Servers forget their videos after some time; what is stored stays. How far back an id alone is looked for. */
const DAYS_LOOKED_BACK = 8;
const DAY_MS = 24 * 3_600_000;

/** The stored files of a job of which nothing but the id is known. */
export async function findVideo(videoId: string, { media, clock }: ToolContext) {
  // Day 0 is where videos are whose server does not tell when they were made.
  const days = [...Array.from({ length: DAYS_LOOKED_BACK }, (_, daysAgo) => clock.now() - daysAgo * DAY_MS), 0];
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
    // An upload may have succeeded although its answer was lost.
    const found = await context.media.find(name);
    if (found) return found;
    try {
      return await downloadMp4(name, job, upstream, context);
    } catch (error) {
      if (attempt === VIDEO_ATTEMPTS || !mayBeRepaired(error)) throw error;
      await context.clock.sleep(RETRY_MS);
    }
  }
}

async function downloadMp4(name: string, job: VideoJob, upstream: Upstream, { media }: ToolContext): Promise<SavedMedia> {
  const response = await openVideo(upstream, job.id, 'video');
  const body = await openBody(response, HEAD_BYTES, bodyOptions(upstream, { paid: false, maxBytes: MAX_VIDEO_BYTES }));
  if (!isMp4(body.head)) {
    await body.reader.cancel();
    throw unexpectedBody(upstream, 'the video in it is not an MP4 file', false);
  }
  return media.saveStream(name, { body: body.reader, repeatable: true }, MP4);
}

/** What another download may repair: a body that broke off, a file that is not ready yet, and faults that pass. */
function mayBeRepaired(error: unknown): boolean {
  if (!(error instanceof GatewayError)) return false;
  const { failure } = error;
  return isTransient(failure) || (failure.kind === 'upstream_status' && NOT_READY.has(failure.status));
}

/** A picture beside the video. It is a convenience: whatever goes wrong with it, the video counts. */
async function storeImage(job: VideoJob, variant: ImageVariant, upstream: Upstream, { media }: ToolContext): Promise<File | undefined> {
  const place = { id: job.id, createdAtMs: job.created_at * 1000 };
  try {
    const existing = await findImage(place, variant, media);
    if (existing) return toFile(existing);
    const response = await openVideo(upstream, job.id, variant);
    const bytes = await readBody(response, bodyOptions(upstream, { paid: false, maxBytes: MAX_VIDEO_IMAGE_BYTES }));
    const image = inspectImage(bytes);
    return image && toFile(await media.save(imageName(place, variant, image.format.extension, media), bytes, image.format));
  } catch (error) {
    if (error instanceof GatewayError) return undefined;
    throw error;
  }
}

type ImageVariant = 'thumbnail' | 'spritesheet';
type Place = Readonly<{ id: string; createdAtMs: number }>;

/** A stored picture, whichever format it has. */
async function findImage(place: Place, variant: ImageVariant, media: MediaStore): Promise<SavedMedia | undefined> {
  const found = await Promise.all(IMAGE_EXTENSIONS.map((extension) => media.find(imageName(place, variant, extension, media))));
  return found.find((file) => file !== undefined);
}

function imageName({ id, createdAtMs }: Place, variant: ImageVariant, extension: string, media: MediaStore): string {
  return media.jobName('video', createdAtMs, `${id}-${variant}.${extension}`);
}
