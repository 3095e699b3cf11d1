import type { ContentBlock } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { type Failure, GatewayError, isTransient } from '../errors.ts';
import { INPUT_IMAGE_TIMEOUT_MS, MAX_INPUT_IMAGE_BYTES } from '../limits.ts';
import type { InputImage } from '../media/input-file.ts';
import { UPLOAD_BYTES } from '../media/media-store.ts';
import { requireUpstream } from '../openai/call-upstream.ts';
import type { Upstream } from '../openai/upstreams.ts';
import { createVideo, isVideoId, retrieveVideo, stateOf, VIDEO_ID, type VideoJob, videoFailure } from '../openai/videos.ts';
import { bill, type CostFields, costFields, costShape, estimateOf } from './billing.ts';
import { isRefusal } from './fallback.ts';
import { timeUpstream } from './measures.ts';
import { modelWarning, warningBlocks } from './model-warning.ts';
import { resourceLinks, storedFile } from './stored-file.ts';
import { defineTool, modelArgument, publishedAs, type ToolContext, UNPUBLISHED } from './tool.ts';
import { findVideo, storeVideo } from './video-files.ts';

/** The longest a job polls; its id stays valid. */
const MAX_WAIT_MS = 60 * 60_000;
/** 2 s, 3 s, 4.5 s, … up to 30 s: 600 s take 25 polls, half the subrequests that Workers Free allows per request. */
const FIRST_POLL_MS = 2_000;
const POLL_GROWTH = 1.5;
const MAX_POLL_MS = 30_000;
const MAX_MODEL_CHARACTERS = 200;
/** When an agent should call again. */
const CALL_AGAIN_SECONDS = 20;

const MAX_SECONDS = 120;
/** Of the API, when a request says nothing. */
const DEFAULT_SECONDS = '4';
const DEFAULT_SIZE = '720x1280';

const LENGTH = `must be a whole number from 1 to ${MAX_SECONDS}`;

/** The failures of a server that cannot say whether it knows a video. */
const UNAVAILABLE = new Set<Failure['kind']>([
  'upstream_status',
  'upstream_timeout',
  'upstream_unreachable',
  'upstream_answer',
  'quota_exhausted',
]);

const VIDEO_ID_RULE = 'must be a video id: 1 to 512 letters, digits, "_", "-", "=" and ".", without ".."';

/** The arguments that apply to new videos only. */
const NEW_VIDEO_ARGUMENTS = ['model', 'seconds', 'size', 'input_reference_url'] as const;

/**
 * Names and limits are those of the Videos API.
 * https://platform.openai.com/docs/api-reference/videos/create
 */
const videoInput = z
  .strictObject({
    prompt: z.string().min(1).max(32_000).optional().describe('What to show, up to 32,000 characters. Starts a new, billed video.'),
    video_id: z
      .string()
      .regex(VIDEO_ID, VIDEO_ID_RULE)
      .refine(isVideoId, VIDEO_ID_RULE)
      .optional()
      .describe('Like job_id, for a video that the upstream knows by this id. Free.'),
    model: modelArgument,
    seconds: z
      .int(LENGTH)
      .min(1, LENGTH)
      .max(MAX_SECONDS, LENGTH)
      .transform(String)
      .optional()
      .describe('Length: 4, 8 or 12; some servers allow others. Twice the length costs twice as much.'),
    size: z
      .string()
      .regex(/^[1-9]\d{1,4}x[1-9]\d{1,4}$/, 'must be WIDTHxHEIGHT in pixels, such as 1280x720')
      .optional()
      .describe(
        'WIDTHxHEIGHT in pixels: 1280x720 (landscape), 720x1280 (portrait); 1792x1024 and 1024x1792 are sharper and may cost more.',
      ),
    input_reference_url: z.string().max(2048).optional().describe('https URL of an image for the first frame, on an allowed host.'),
    include_spritesheet: z.boolean().optional().describe('Also store the spritesheet.'),
  })
  .refine(({ prompt, video_id }) => (prompt === undefined) !== (video_id === undefined), {
    path: ['prompt'],
    message: 'pass exactly one of prompt (a new video) and video_id (one already started)',
  })
  .superRefine((input, context) => {
    if (input.video_id === undefined) return;
    for (const path of NEW_VIDEO_ARGUMENTS) {
      if (input[path] !== undefined)
        context.addIssue({ code: 'custom', path: [path], message: 'applies to new videos only; omit it with video_id' });
    }
  });
type VideoInput = z.output<typeof videoInput>;

/** Published without its fields, which are those of the video. */
const extraFile = storedFile.meta(publishedAs({ type: 'object' }));

const videoOutput = z.object({
  status: z.enum(['completed', 'in_progress']),
  video_id: z.string(),
  progress: z.number().optional(),
  next_step: z.string().optional(),
  video: storedFile.optional(),
  thumbnail: extraFile.optional(),
  spritesheet: extraFile.optional(),
  seconds: z.string().optional(),
  size: z.string().optional(),
  model: z.string().optional(),
  ...costShape,
  warning: z.string().optional().meta(UNPUBLISHED),
});

export const generateVideo = defineTool({
  name: 'generate_video',
  title: 'Generate video',
  description:
    'Generate a short video from a prompt; it is stored, and its URL returned. Use it only when motion is wanted; for a still picture call generate_image. Example: {"prompt": "Waves around a lighthouse, slow aerial shot", "seconds": 4}. Takes minutes and is by far the most expensive tool: billed by the second, one video costs as much as many images. Never repeat the prompt to get a video already started.',
  activity: 'generating video',
  annotations: { destructiveHint: false },
  input: videoInput,
  output: videoOutput,
  app: true,
  job: {
    runs: 'always',
    upstreamJob: {
      name: 'video_id',
      continueFrom: (videoId) => ({ video_id: videoId }),
      isContinued: ({ video_id }) => video_id !== undefined,
    },
  },

  async check({ video_id }, { upstreams, media }) {
    requireUpstream(upstreams, 'video');
    // A video already started has been billed, so it is polled even while storage is down.
    if (video_id === undefined || media.missing.length > 0) await media.assertReady();
  },

  estimate({ model, seconds = DEFAULT_SECONDS, size = DEFAULT_SIZE }, context) {
    const upstream = requireUpstream(context.upstreams, 'video');
    const billed = { model: model ?? upstream.model, ways: [{ second: Number(seconds) }], size };
    return estimateOf(context, upstream, billed, 'fewer seconds, a smaller size or a cheaper model');
  },

  async handler(input, context) {
    const upstream = requireUpstream(context.upstreams, 'video');
    const deadlineMs = context.clock.now() + Math.min(context.waitMs, MAX_WAIT_MS);
    const created = input.video_id === undefined ? await create(input, upstream, context) : undefined;
    const videoId = created?.id ?? (input.video_id as string);
    try {
      const found = created ?? (await retrieve(videoId, upstream, context));
      if ('video' in found) return found;
      const job = await waitForEnd(found, deadlineMs, upstream, context);
      const warning = warningOf(created ? (input.model ?? upstream.model) : job.model, upstream, context);
      if (stateOf(job) === 'pending') return { ...inProgress(job), ...warning };
      if (stateOf(job) === 'failed') throw new GatewayError(videoFailure(job, upstream));
      // A call that only continues a video by its id has not made it: it is billed to the call that has, or to its job.
      const cost = created || context.isKept ? billVideo(input, job, upstream, context) : {};
      return { ...(await finish(job, upstream, context, input.include_spritesheet ?? false)), ...cost, ...warning };
    } catch (error) {
      throw withVideoId(error, videoId);
    }
  },

  present({ status, next_step = '', video, thumbnail, spritesheet, video_id, warning }): ContentBlock[] {
    if (status === 'in_progress' || !video) return [{ type: 'text', text: next_step }, ...warningBlocks(warning)];
    const others = [thumbnail && `thumbnail: ${thumbnail.url}`, spritesheet && `spritesheet: ${spritesheet.url}`].filter(Boolean);
    const text = [`${video.url} (${video.content_type}, ${video_id})`, ...others].join('\n');
    const files = [video, thumbnail, spritesheet].filter((file) => file !== undefined);
    return [{ type: 'text', text }, ...resourceLinks(files), ...warningBlocks(warning)];
  },
});

/** Whether the second upstream may be asked: for a new video when the first refuses it, for one already started in vain there. */
export function mayBeKnownToSecond(failure: Failure, { video_id }: VideoInput): boolean {
  if (video_id === undefined) return isRefusal(failure);
  return failure.kind === 'video_unknown' || (failure.kind === 'video_interrupted' && UNAVAILABLE.has(failure.reason.kind));
}

/** Also logs the model, of which a job that is continued knows only its server. */
function warningOf(model: string | null | undefined, upstream: Upstream, context: ToolContext): { warning?: string } {
  if (!model) return {};
  const name = upstream.redact(model, MAX_MODEL_CHARACTERS);
  context.measure({ model: name });
  return modelWarning(context, upstream, name);
}

/** Creates the job, and logs and reports its id at once: with the id, the video can always be recovered. */
async function create(input: VideoInput, upstream: Upstream, context: ToolContext): Promise<VideoJob> {
  const { input_reference_url: url } = input;
  if (url === undefined) return createFrom(input, undefined, upstream, context);
  // The image, and its copy in the request.
  const admitted = context.admission.admit(2 * MAX_INPUT_IMAGE_BYTES, context.signal);
  const reference = context.readInputImage(
    { url, argument: 'input_reference_url', maxBytes: MAX_INPUT_IMAGE_BYTES, timeoutMs: INPUT_IMAGE_TIMEOUT_MS },
    context.signal,
  );
  return reference.then((image) => createFrom(input, image, upstream, context)).finally(admitted.release);
}

async function createFrom(
  { prompt = '', model, seconds, size }: VideoInput,
  reference: InputImage | undefined,
  upstream: Upstream,
  context: ToolContext,
): Promise<VideoJob> {
  const file = reference && new File([reference.bytes], `reference.${reference.format.extension}`, { type: reference.format.contentType });
  const set = { ...(seconds && { seconds }), ...(size && { size }), ...(file && { input_reference: file }) };
  // The client's types allow only OpenAI's own lengths and sizes; other servers have more.
  const request = { prompt, model: model ?? upstream.model, ...set } as Parameters<typeof createVideo>[1];
  context.measure({ model: model ?? upstream.model });
  const job = await timeUpstream(context, () => createVideo(upstream, request, context.signal));
  context.checkpoint(job.id);
  context.log('video_started', { video_id: job.id });
  context.progress(`${job.id}: started; to continue later, call generate_video with this video_id`, percentOf(job));
  return job;
}

/** The job, or its stored files when the upstream no longer knows it or cannot be reached. */
async function retrieve(videoId: string, upstream: Upstream, context: ToolContext) {
  try {
    return await timeUpstream(context, () => retrieveVideo(upstream, videoId, context.signal));
  } catch (error) {
    const stored = error instanceof GatewayError && mayRecover(error) ? await findVideo(videoId, context) : undefined;
    if (!stored) throw error;
    return { status: 'completed' as const, video_id: videoId, ...stored };
  }
}

/** The signal that ends polling: a job goes on without a client. */
function pollSignal({ isKept, signal }: ToolContext): AbortSignal {
  return isKept ? new AbortController().signal : signal;
}

/** Polls until the job ends or the deadline passes. Transient poll failures are ignored. */
async function waitForEnd(first: VideoJob, deadlineMs: number, upstream: Upstream, context: ToolContext): Promise<VideoJob> {
  let job = first;
  for (let delayMs = FIRST_POLL_MS; stateOf(job) === 'pending'; delayMs = Math.min(delayMs * POLL_GROWTH, MAX_POLL_MS)) {
    const leftMs = deadlineMs - context.clock.now();
    if (leftMs <= 0) return job;
    await sleep(Math.min(delayMs, leftMs), context);
    job = await poll(job, upstream, context);
    context.progress(`${job.id}: ${percentOf(job)}%`, percentOf(job));
  }
  return job;
}

async function sleep(ms: number, context: ToolContext): Promise<void> {
  await context.clock.sleep(ms, pollSignal(context)).catch((cause: unknown) => {
    throw new GatewayError({ kind: 'cancelled' }, { cause });
  });
}

async function poll(job: VideoJob, upstream: Upstream, context: ToolContext): Promise<VideoJob> {
  try {
    return await timeUpstream(context, () => retrieveVideo(upstream, job.id, pollSignal(context)));
  } catch (error) {
    if (error instanceof GatewayError && mayRecover(error)) return job;
    throw error;
  }
}

/** Whether a later poll may succeed. That includes an unknown job, as the server may lag behind. */
function mayRecover({ failure }: GatewayError): boolean {
  return failure.kind === 'video_unknown' || isTransient(failure);
}

function inProgress(job: VideoJob): z.input<typeof videoOutput> {
  const progress = percentOf(job);
  const next_step = `The video is ${progress}% complete: call generate_video with video_id "${job.id}" in about ${CALL_AGAIN_SECONDS} s to get it. That call is not billed.`;
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
  const files = await storeVideo(job, upstream, context, withSpritesheet).finally(admitted.release);
  if (Number(seconds) > 0) context.measure({ seconds: Number(seconds) });
  return { status: 'completed', video_id: job.id, ...files, ...(seconds && { seconds }), ...(size && { size }), ...(model && { model }) };
}

function billVideo({ model, seconds, size }: VideoInput, job: VideoJob, upstream: Upstream, context: ToolContext): CostFields {
  const [second = 0] = [job.seconds, seconds, DEFAULT_SECONDS].map(Number).filter((length) => length > 0);
  const known = job.model ? upstream.redact(job.model, MAX_MODEL_CHARACTERS) : upstream.model;
  const billed = { model: model ?? known, ways: [{ second }], size: job.size ?? size ?? DEFAULT_SIZE };
  return costFields(bill(context, upstream, billed));
}

function percentOf({ progress }: VideoJob): number {
  return Math.min(100, Math.max(0, Math.round(progress ?? 0)));
}

/** Adds the id to any failure after the job has started. */
function withVideoId(error: unknown, videoId: string): unknown {
  if (!(error instanceof GatewayError)) return error;
  const { failure } = error;
  if (failure.kind === 'video_failed' || failure.kind === 'video_unknown') return error;
  return new GatewayError({ kind: 'video_interrupted', videoId, reason: failure }, { cause: error });
}
