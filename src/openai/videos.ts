import type { OpenAI } from 'openai';
import * as z from 'zod';
import { type Failure, GatewayError } from '../errors.ts';
import { MAX_NAME_CHARACTERS, MAX_VIDEO_JOB_BYTES } from '../limits.ts';
import { callUpstream, UNCOMPRESSED } from './call-upstream.ts';
import { safeCode, safeDetail } from './errors.ts';
import { observe } from './observe.ts';
import { readJson, unexpectedBody } from './read-response.ts';
import type { Upstream } from './upstreams.ts';

/**
 * The Videos API: create a job, poll it until it ends, download its files.
 * https://platform.openai.com/docs/api-reference/videos
 */

/**
 * The ids that are safe in paths and blob names. OpenAI's are `video_` and hexadecimal digits; gateways in front of
 * several servers use longer ones in base64.
 */
export const VIDEO_ID = /^[A-Za-z0-9][A-Za-z0-9_=.-]{0,511}$/;

/** `..` would allow path traversal. */
export function isVideoId(text: string): boolean {
  return VIDEO_ID.test(text) && !text.includes('..');
}

type VideoVariant = 'video' | 'thumbnail' | 'spritesheet';

const jobSchema = z.object({
  id: z.string().refine(isVideoId),
  status: z.string().catch('queued'),
  progress: z
    .union([z.number(), z.string().transform(Number.parseFloat)])
    .nullish()
    .catch(null),
  created_at: z.unknown().optional().transform(toUnixSeconds),
  model: z.string().nullish().catch(null),
  seconds: z.coerce.string().nullish().catch(null),
  size: z.string().nullish().catch(null),
  error: z
    .object({ code: z.string().nullish().catch(null), message: z.string().nullish().catch(null) })
    .nullish()
    .catch(null),
});

export type VideoJob = z.output<typeof jobSchema>;

const MAX_ID_CHARACTERS = 600;
const CREATE_TIMEOUT_MS = 120_000;
const RETRIEVE_TIMEOUT_MS = 30_000;
const DOWNLOAD_TIMEOUT_MS = 60_000;
/** As seconds, this is the year 5138, so larger values must be milliseconds. */
const MAX_SECONDS = 100_000_000_000;

/** Whole Unix seconds from seconds, milliseconds or a date; 0 when the server sends none, which files the video under 1970-01-01. */
function toUnixSeconds(value: unknown): number {
  const number = typeof value === 'string' && Number.isNaN(Number(value)) ? Date.parse(value) : Number(value ?? Number.NaN);
  const seconds = Math.floor(number > MAX_SECONDS ? number / 1000 : number);
  return seconds >= 0 && seconds < MAX_SECONDS ? seconds : 0;
}

/** Creates a job, with one request that is never repeated. */
export async function createVideo(upstream: Upstream, request: OpenAI.VideoCreateParams, signal: AbortSignal): Promise<VideoJob> {
  // Aborting would not undo the job, and its id would be lost.
  const options = { paid: true, signal, finish: true, timeoutMs: CREATE_TIMEOUT_MS };
  try {
    return await observe(upstream, { operation: 'video_creation', model: request.model }, async () => {
      const raw = await callUpstream(upstream, options, async (until) =>
        readJob(await (await upstream.client()).videos.create(request, { signal: until }).asResponse(), upstream, true),
      );
      return parseJob(raw, upstream, true);
    });
  } catch (error) {
    const status = missingStatus(error);
    if (status === undefined) throw error;
    throw new GatewayError({ kind: 'no_videos', service: upstream.service, status }, { cause: error });
  }
}

/** Polls a job. Throws `video_unknown` when the upstream does not know it. */
export async function retrieveVideo(upstream: Upstream, videoId: string, signal: AbortSignal): Promise<VideoJob> {
  const { service } = upstream;
  try {
    return await observe(upstream, { operation: 'video_retrieval', model: undefined }, async () => {
      const raw = await callUpstream(upstream, { paid: false, signal, timeoutMs: RETRIEVE_TIMEOUT_MS }, async (until) =>
        readJob(await (await upstream.client()).videos.retrieve(videoId, { signal: until }).asResponse(), upstream, false),
      );
      return { ...parseJob(raw, upstream, false), id: videoId };
    });
  } catch (error) {
    const status = missingStatus(error);
    if (status === undefined) throw error;
    throw new GatewayError({ kind: 'video_unknown', service, videoId, status }, { cause: error });
  }
}

/** Opens a file of a completed job. Servers may redirect to their storage. */
export function openVideo(upstream: Upstream, videoId: string, variant: VideoVariant): Promise<Response> {
  // The video has been billed, so it is stored even after the client has disconnected.
  const { signal } = new AbortController();
  const requestOptions = { headers: UNCOMPRESSED, fetchOptions: { redirect: 'follow' as const } };
  return observe(upstream, { operation: 'video_download', model: undefined }, () =>
    callUpstream(upstream, { paid: false, signal, timeoutMs: DOWNLOAD_TIMEOUT_MS }, async (until) =>
      (await upstream.client()).videos.downloadContent(videoId, { variant }, { ...requestOptions, signal: until }).asResponse(),
    ),
  );
}

export type VideoState = 'pending' | 'completed' | 'failed';

/** An unknown status counts as pending unless there is an error, because the job has been billed. */
export function stateOf({ status, error }: VideoJob): VideoState {
  const name = status.toLowerCase();
  if (['completed', 'succeeded', 'success', 'done'].includes(name)) return 'completed';
  if (['failed', 'failure', 'error', 'rejected', 'cancelled', 'canceled', 'expired'].includes(name)) return 'failed';
  return ['queued', 'in_progress'].includes(name) || !error ? 'pending' : 'failed';
}

/** Why a job ended without a video. */
export function videoFailure({ id, status, error }: VideoJob, { service, redact }: Upstream): Failure {
  const code = safeCode(error?.code, redact) ?? redact(status, MAX_NAME_CHARACTERS);
  return { kind: 'video_failed', service, videoId: id, code, detail: safeDetail(error, undefined, redact) };
}

function readJob(response: Response, upstream: Upstream, paid: boolean): Promise<unknown> {
  return readJson(response, upstream, { paid, maxBytes: MAX_VIDEO_JOB_BYTES });
}

function parseJob(raw: unknown, upstream: Upstream, paid: boolean): VideoJob {
  const job = jobSchema.safeParse(raw);
  if (job.success) return job.data;
  // Even an invalid id helps the operator find the billed job.
  const rawId = typeof raw === 'object' && raw !== null && 'id' in raw ? raw.id : undefined;
  const isPlain = typeof rawId === 'string' || typeof rawId === 'number';
  const id = isPlain ? ` (id ${upstream.redact(JSON.stringify(rawId), MAX_ID_CHARACTERS)})` : '';
  throw unexpectedBody(upstream, `not a video job${id}`, paid);
}

/** 404 or 410, unless the model is what does not exist. */
function missingStatus(error: unknown): number | undefined {
  if (!(error instanceof GatewayError) || error.failure.kind !== 'upstream_status') return undefined;
  const { status, code } = error.failure;
  return (status === 404 || status === 410) && code !== 'model_not_found' ? status : undefined;
}
