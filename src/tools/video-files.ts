import type { z } from 'zod';
import { GatewayError } from '../errors.ts';
import { openBody } from '../media/body.ts';
import { HEAD_BYTES, inspectImage, isMp4, MP4 } from '../media/formats.ts';
import type { SavedMedia } from '../media/media-store.ts';
import type { Upstream } from '../openai/upstreams.ts';
import { openVideo, type VideoJob } from '../openai/videos.ts';
import { type storedFile, toFile } from './stored-file.ts';
import type { ToolContext } from './tool.ts';

type File = z.input<typeof storedFile>;

const MAX_VIDEO_BYTES = 8 * 1024 ** 3;
const MAX_IMAGE_BYTES = 20 * 1024 ** 2;
/** A video can be downloaded again, so a passing fault of the storage or the upstream costs a second try. */
const VIDEO_ATTEMPTS = 2;
/** The endings that a thumbnail or a spritesheet can have, the usual one first. */
const IMAGE_EXTENSIONS = ['webp', 'jpg', 'png', 'gif'];

/** Stores the files of a completed job, as far as they are not stored already. Only the video itself has to succeed. */
export async function storeVideo(job: VideoJob, upstream: Upstream, context: ToolContext, withSpritesheet: boolean) {
  const video = toFile(await storeMp4(job, upstream, context));
  const [thumbnail, spritesheet] = await Promise.all([
    storeImage(job, 'thumbnail', upstream, context),
    withSpritesheet ? storeImage(job, 'spritesheet', upstream, context) : undefined,
  ]);
  return { video, ...(thumbnail && { thumbnail }), ...(spritesheet && { spritesheet }) };
}

/** Servers forget their videos after some time; what is stored stays. How far back an id alone is looked for. */
const DAYS_LOOKED_BACK = 8;
const DAY_MS = 24 * 3_600_000;

/** The stored video of a job of which nothing but the id is known any more. */
export async function findVideo(videoId: string, { media, now }: ToolContext): Promise<File | undefined> {
  const days = Array.from({ length: DAYS_LOOKED_BACK }, (_, daysAgo) => now() - daysAgo * DAY_MS);
  const found = await Promise.all(days.map((dayMs) => media.find(media.jobName('video', dayMs, mp4File(videoId)))));
  const video = found.find((file) => file !== undefined);
  return video && toFile(video);
}

const mp4File = (videoId: string) => `${videoId}.${MP4.extension}`;

async function storeMp4(job: VideoJob, upstream: Upstream, context: ToolContext): Promise<SavedMedia> {
  const name = context.media.jobName('video', job.created_at * 1000, mp4File(job.id));
  const found = await context.media.find(name);
  if (found) return found;
  for (let attempt = 1; ; attempt++) {
    try {
      return await downloadMp4(name, job, upstream, context);
    } catch (error) {
      if (attempt === VIDEO_ATTEMPTS || !isPassing(error)) throw error;
    }
  }
}

async function downloadMp4(name: string, job: VideoJob, upstream: Upstream, { media, now, sleep }: ToolContext): Promise<SavedMedia> {
  const { service } = upstream;
  const response = await openVideo(upstream, job.id, 'video');
  const body = await openBody(response, HEAD_BYTES, { service, paid: false, maxBytes: MAX_VIDEO_BYTES, now, sleep });
  if (!isMp4(body.head)) {
    await body.reader.cancel();
    throw new GatewayError({ kind: 'upstream_answer', service, problem: 'the video in it is not an MP4 file', paid: false });
  }
  return media.saveStream(name, { body: body.reader, lengthBytes: body.lengthBytes, repeatable: true }, MP4);
}

/** What another download may repair: a body that broke off, and faults that pass. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof GatewayError)) return false;
  const { failure } = error;
  if (failure.kind === 'storage') return failure.retryable;
  if (failure.kind === 'upstream_status') return failure.status >= 500;
  return failure.kind === 'upstream_answer' || failure.kind === 'upstream_unreachable' || failure.kind === 'upstream_timeout';
}

/** A picture beside the video. It is a convenience: whatever goes wrong with it, the video counts. */
async function storeImage(
  job: VideoJob,
  variant: 'thumbnail' | 'spritesheet',
  upstream: Upstream,
  { media, now, sleep }: ToolContext,
): Promise<File | undefined> {
  const nameOf = (extension: string) => media.jobName('video', job.created_at * 1000, `${job.id}-${variant}.${extension}`);
  try {
    const found = await Promise.all(IMAGE_EXTENSIONS.map((extension) => media.find(nameOf(extension))));
    const existing = found.find((file) => file !== undefined);
    if (existing) return toFile(existing);
    const response = await openVideo(upstream, job.id, variant);
    const options = { service: upstream.service, paid: false, maxBytes: MAX_IMAGE_BYTES, now, sleep };
    // Longer than the limit is an error, so this head is the whole.
    const { head } = await openBody(response, MAX_IMAGE_BYTES + 1, options);
    const bytes = head.slice() as Uint8Array<ArrayBuffer>;
    const image = inspectImage(bytes);
    return image && toFile(await media.save(nameOf(image.format.extension), bytes, image.format));
  } catch (error) {
    if (error instanceof GatewayError) return undefined;
    throw error;
  }
}
