import sharp from 'sharp';
import { z } from 'zod';
import { ApiError, parseBody } from './errors.ts';
import { assertModel } from './models.ts';
import { boxHeader, repeatVideo } from './repeat-video.ts';
import { voyageSvg } from './scene/voyage.ts';
import { readSample } from './speech.ts';

const body = z.strictObject({
  prompt: z.string().min(1).max(32_000),
  model: z.string().default('sora-2'),
  seconds: z.enum(['4', '8', '12']).default('4'),
  size: z.enum(['720x1280', '1280x720', '1024x1792', '1792x1024']).default('720x1280'),
  input_reference: z.instanceof(Blob).optional(),
});

/** How the videos of an account behave. */
export type VideoSettings = Readonly<{
  /** How long a job takes by the stand-in's clock. */
  jobSeconds: number;
  /** How much faster than the true clock that clock goes. */
  speed: number;
  /** The job ends so instead of with a video. */
  error?: { code: string; message: string };
  /** The content is filled up to this size. */
  contentBytes?: number;
  /** Whether the content's answer has a Content-Length. */
  contentLength: boolean;
  /** Variants that the account's videos do not have. */
  without: readonly string[];
}>;

export const DEFAULT_VIDEO_SETTINGS: VideoSettings = { jobSeconds: 6, speed: 1, contentLength: true, without: [] };

type Job = { id: string; createdMs: number; request: z.output<typeof body>; settings: VideoSettings };

const FILL_BYTES = 256 * 1024;

/** The length of the samples, of which there is one for each size. */
const SAMPLE_SECONDS = 4;

/** The Videos API's state machine: queued, in_progress with rising progress, then completed or failed. */
export function createVideos() {
  const jobs = new Map<string, Job>();

  const find = (key: string, id: string): Job => {
    const job = jobs.get(`${key} ${id}`);
    if (!job) throw new ApiError(404, `Video with id '${id}' not found.`, 'not_found_error', 'video_id');
    return job;
  };

  return {
    create(key: string, form: Record<string, unknown>, settings: VideoSettings): object {
      const request = parseBody(body, form);
      assertModel(request.model);
      if (request.prompt.includes('[refuse]'))
        throw new ApiError(400, 'Your request was blocked by our moderation system.', 'moderation_blocked');
      const job = { id: `video_${crypto.randomUUID().replaceAll('-', '')}`, createdMs: Date.now(), request, settings };
      jobs.set(`${key} ${job.id}`, job);
      return toResource(job);
    },

    retrieve: (key: string, id: string): object => toResource(find(key, id)),

    /** Forgets a job, as servers do some time after its end. */
    forget: (key: string, id: string): boolean => jobs.delete(`${key} ${id}`),

    async content(key: string, id: string, variant: string): Promise<Response> {
      const job = find(key, id);
      if (statusOf(job).status !== 'completed')
        throw new ApiError(400, 'Video is not ready yet, use GET /v1/videos/{id} to check status.', 'invalid_request');
      if (job.settings.without.includes(variant)) throw new ApiError(404, `There is no ${variant}.`, 'not_found_error', 'variant');
      if (variant === 'thumbnail') return thumbnail(job.request);
      if (variant === 'spritesheet')
        return new Response(readSample('spritesheet.jpg').slice(), { headers: { 'content-type': 'image/jpeg' } });
      return videoContent(job);
    },
  };
}

function statusOf({ createdMs, settings }: Job): { status: string; progress: number } {
  const elapsedSeconds = ((Date.now() - createdMs) / 1000) * settings.speed;
  if (elapsedSeconds >= settings.jobSeconds)
    return settings.error ? { status: 'failed', progress: 100 } : { status: 'completed', progress: 100 };
  const done = elapsedSeconds / settings.jobSeconds;
  return { status: done < 0.1 ? 'queued' : 'in_progress', progress: Math.floor(done * 100) };
}

function toResource(job: Job): object {
  const { status, progress } = statusOf(job);
  const created_at = Math.floor(job.createdMs / 1000);
  return {
    id: job.id,
    object: 'video',
    model: job.request.model,
    status,
    progress,
    created_at,
    completed_at: status === 'completed' ? created_at + job.settings.jobSeconds : null,
    expires_at: status === 'completed' ? created_at + 86_400 : null,
    prompt: job.request.prompt,
    size: job.request.size,
    seconds: job.request.seconds,
    remixed_from_video_id: null,
    error: status === 'failed' ? job.settings.error : null,
  };
}

/** A film of the asked size and length, and behind it a box that players skip (ISO/IEC 14496-12, 8.1.2). */
function videoContent({ request, settings: { contentBytes, contentLength } }: Job): Response {
  const film = repeatVideo(readSample(`video-${request.size}.mp4`), Number(request.seconds) / SAMPLE_SECONDS);
  const fillBytes = Math.max(0, (contentBytes ?? 0) - film.byteLength);
  const total = film.byteLength + (fillBytes > 8 ? fillBytes : 0);
  const headers = { 'content-type': 'video/mp4', ...(contentLength && { 'content-length': String(total) }) };
  let left = total - film.byteLength;
  const fill = new Uint8Array(FILL_BYTES);
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(film);
      if (left === 0) return controller.close();
      const header = boxHeader('free', left - 8);
      controller.enqueue(header);
      left -= header.byteLength;
    },
    pull(controller) {
      controller.enqueue(fill.subarray(0, Math.min(left, FILL_BYTES)));
      left -= Math.min(left, FILL_BYTES);
      if (left === 0) controller.close();
    },
  });
  return new Response(stream, { headers });
}

/** A frame of the film, a quarter as large. */
async function thumbnail({ size }: Job['request']): Promise<Response> {
  const [width = 0, height = 0] = size.split('x').map((side) => Number(side) / 4);
  const frame = await sharp(Buffer.from(voyageSvg(width, height, 0.4)))
    .webp()
    .toBuffer();
  return new Response(new Uint8Array(frame), { headers: { 'content-type': 'image/webp' } });
}
