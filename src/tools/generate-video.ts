import type { ContentBlock } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { GatewayError, isTransient } from '../errors.ts';
import { requireUpstream } from '../openai/call-upstream.ts';
import type { Upstream } from '../openai/upstreams.ts';
import { createVideo, isVideoId, retrieveVideo, stateOf, VIDEO_ID, type VideoJob, videoFailure } from '../openai/videos.ts';
import { resourceLinks, storedFile } from './stored-file.ts';
import { defineTool, modelArgument, type ToolContext } from './tool.ts';
import { findVideo, storeVideo } from './video-files.ts';

const DEFAULT_WAIT_SECONDS = 45;
/** 2 s, 3 s, 4.5 s, … up to half a minute: 600 s take 25 polls, half of what Workers' free plan allows a request. */
const FIRST_POLL_MS = 2_000;
const POLL_GROWTH = 1.5;
const MAX_POLL_MS = 30_000;
/** When an agent is told to ask again. */
const ASK_AGAIN_SECONDS = 20;

/** What storing a video holds in memory: one block. */
const UPLOAD_BYTES = 4 * 1024 * 1024;
const MAX_SECONDS = 120;
const LENGTH = `expected a whole number from 1 to ${MAX_SECONDS}`;

const VIDEO_ID_RULE = 'must be the id of a video: 1 to 512 letters, digits, "_", "-", "=" and ".", without ".."';

/** The arguments that describe a new video, and mean nothing for one that has begun. */
const FOR_NEW_VIDEOS = ['model', 'seconds', 'size', 'input_reference_url'] as const;

/**
 * Names and limits are those of the Videos API.
 * https://platform.openai.com/docs/api-reference/videos/create
 */
const videoInput = z
  .strictObject({
    prompt: z.string().min(1).max(32_000).optional().describe('What to show, up to 32,000 characters. Starts a new, charged video.'),
    video_id: z
      .string()
      .regex(VIDEO_ID, VIDEO_ID_RULE)
      .refine(isVideoId, VIDEO_ID_RULE)
      .optional()
      .describe('Instead of prompt: goes on with a video that has begun. Free.'),
    model: modelArgument,
    seconds: z
      .union([z.int(LENGTH).min(1, LENGTH).max(MAX_SECONDS, LENGTH), z.string().regex(/^([1-9]|[1-9]\d|1[01]\d|120)$/, LENGTH)], LENGTH)
      .transform(String)
      .optional()
      .describe('Length in seconds: 4, 8 or 12; some servers have others.'),
    size: z
      .string()
      .regex(/^[1-9]\d{1,4}x[1-9]\d{1,4}$/, 'must be WIDTHxHEIGHT in pixels, such as 1280x720')
      .optional()
      .describe('WIDTHxHEIGHT in pixels: 1280x720, 720x1280, 1792x1024 or 1024x1792.'),
    input_reference_url: z.string().max(2048).optional().describe('https URL of an image for the first frame, on an allowed host.'),
    wait_seconds: z.number().min(0).max(600).optional().describe('How long this call may wait: 0 to 600 s. Default: 45.'),
    include_spritesheet: z.boolean().optional().describe('Also store the spritesheet.'),
  })
  .refine(({ prompt, video_id }) => (prompt === undefined) !== (video_id === undefined), {
    path: ['prompt'],
    message: 'give exactly one of prompt (a new video) and video_id (one that has begun)',
  })
  .superRefine((input, context) => {
    if (input.video_id === undefined) return;
    for (const path of FOR_NEW_VIDEOS) {
      if (input[path] !== undefined)
        context.addIssue({ code: 'custom', path: [path], message: 'is for new videos; leave it out with video_id' });
    }
  });
type VideoInput = z.output<typeof videoInput>;

const videoOutput = z.object({
  status: z.enum(['completed', 'in_progress']),
  video_id: z.string(),
  progress: z.number().optional(),
  next_step: z.string().optional(),
  video: storedFile.optional(),
  thumbnail: storedFile.optional(),
  spritesheet: storedFile.optional(),
  seconds: z.string().optional(),
  size: z.string().optional(),
  model: z.string().optional(),
});

export const generateVideo = defineTool({
  name: 'generate_video',
  title: 'Generate video',
  description:
    'Make a video from a prompt; it is stored, and its URL returned. Takes minutes, and is charged. If it is not ready within wait_seconds, the result has status in_progress and a video_id: call again with that video_id alone, which is free. Never repeat the prompt to get a video that has begun.',
  activity: 'generating video',
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  input: videoInput,
  output: videoOutput,

  async handler(input, context) {
    const upstream = requireUpstream(context.upstreams, 'video');
    // A video that has begun is asked for all the same: it is paid for.
    if (input.video_id === undefined || context.media.missing.length > 0) await context.media.assertReady();
    const untilMs = context.clock.now() + (input.wait_seconds ?? DEFAULT_WAIT_SECONDS) * 1000;
    const begun = input.video_id === undefined ? await create(input, upstream, context) : undefined;
    const videoId = begun?.id ?? (input.video_id as string);
    try {
      const found = begun ?? (await retrieve(videoId, upstream, context));
      if ('video' in found) return found;
      const job = await waitForEnd(found, untilMs, upstream, context);
      if (stateOf(job) === 'pending') return inProgress(job);
      if (stateOf(job) === 'failed') throw new GatewayError(videoFailure(job, upstream));
      return await finish(job, upstream, context, input.include_spritesheet ?? false);
    } catch (error) {
      throw withVideoId(error, videoId);
    }
  },

  present({ status, next_step = '', video, thumbnail, spritesheet, video_id }): ContentBlock[] {
    if (status === 'in_progress' || !video) return [{ type: 'text', text: next_step }];
    const others = [thumbnail && `thumbnail: ${thumbnail.url}`, spritesheet && `spritesheet: ${spritesheet.url}`].filter(Boolean);
    const text = [`${video.url} (${video.content_type}, ${video_id})`, ...others].join('\n');
    return [{ type: 'text', text }, ...resourceLinks([video, thumbnail, spritesheet].filter((file) => file !== undefined))];
  },
});

/** Starts the job, and tells its id at once: with it, nothing can be lost any more. */
async function create(input: VideoInput, upstream: Upstream, context: ToolContext): Promise<VideoJob> {
  const { prompt = '', seconds, size, input_reference_url: url } = input;
  const reference = url === undefined ? undefined : await context.readInputImage(url, context.signal);
  const file = reference && new File([reference.bytes], `reference.${reference.format.extension}`, { type: reference.format.contentType });
  const set = { ...(seconds && { seconds }), ...(size && { size }), ...(file && { input_reference: file }) };
  // The client's types know OpenAI's own lengths and sizes; other servers have more.
  const request = { prompt, model: input.model ?? upstream.model, ...set } as Parameters<typeof createVideo>[1];
  const job = await context.finish(createVideo(upstream, request, context.signal));
  context.log('video_started', { video_id: job.id });
  context.progress(`${job.id}: started; to go on later, call generate_video with this video_id`);
  return job;
}

/** The job, or what is stored of one of which the upstream cannot tell (any more). */
async function retrieve(videoId: string, upstream: Upstream, context: ToolContext) {
  try {
    return await retrieveVideo(upstream, videoId, context.signal);
  } catch (error) {
    const stored = error instanceof GatewayError && mayChange(error) ? await findVideo(videoId, context) : undefined;
    if (!stored) throw error;
    return { status: 'completed' as const, video_id: videoId, ...stored };
  }
}

/** Polls until the job has ended or the time is over. A poll that fails for a transient reason is not the end. */
async function waitForEnd(first: VideoJob, untilMs: number, upstream: Upstream, context: ToolContext): Promise<VideoJob> {
  let job = first;
  for (let delayMs = FIRST_POLL_MS; stateOf(job) === 'pending'; delayMs = Math.min(delayMs * POLL_GROWTH, MAX_POLL_MS)) {
    const leftMs = untilMs - context.clock.now();
    if (leftMs <= 0) return job;
    await sleep(Math.min(delayMs, leftMs), context);
    job = await poll(job, upstream, context);
    context.progress(`${job.id}: ${percentOf(job)} %`);
  }
  return job;
}

async function sleep(ms: number, { clock, signal }: ToolContext): Promise<void> {
  await clock.sleep(ms, signal).catch((cause: unknown) => {
    throw new GatewayError({ kind: 'cancelled' }, { cause });
  });
}

async function poll(job: VideoJob, upstream: Upstream, { signal }: ToolContext): Promise<VideoJob> {
  try {
    return await retrieveVideo(upstream, job.id, signal);
  } catch (error) {
    if (error instanceof GatewayError && mayChange(error)) return job;
    throw error;
  }
}

/** What asking again may change. A job that was seen a moment ago is not gone: its server may only be behind. */
function mayChange({ failure }: GatewayError): boolean {
  return failure.kind === 'video_unknown' || isTransient(failure);
}

function inProgress(job: VideoJob): z.input<typeof videoOutput> {
  const progress = percentOf(job);
  const next_step = `The video is ${progress} % done: call generate_video with video_id "${job.id}" in about ${ASK_AGAIN_SECONDS} s to get it. That is not charged.`;
  return { status: 'in_progress', video_id: job.id, progress, next_step };
}

async function finish(
  job: VideoJob,
  upstream: Upstream,
  context: ToolContext,
  withSpritesheet: boolean,
): Promise<z.input<typeof videoOutput>> {
  const { seconds, size, model } = job;
  const admitted = context.admission.admit(UPLOAD_BYTES, context.signal);
  const work = storeVideo(job, upstream, context, withSpritesheet).finally(admitted.release);
  const files = await context.finish(work);
  return { status: 'completed', video_id: job.id, ...files, ...(seconds && { seconds }), ...(size && { size }), ...(model && { model }) };
}

function percentOf({ progress }: VideoJob): number {
  return Math.min(100, Math.max(0, Math.round(progress ?? 0)));
}

/** Once a job has begun, whoever is told of a failure is told the id too. */
function withVideoId(error: unknown, videoId: string): unknown {
  if (!(error instanceof GatewayError)) return error;
  const { failure } = error;
  if (failure.kind === 'video_failed' || failure.kind === 'video_unknown') return error;
  return new GatewayError({ kind: 'video_interrupted', videoId, reason: failure }, { cause: error });
}
