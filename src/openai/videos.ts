import type { OpenAI } from 'openai';
import { z } from 'zod';
import { type Failure, GatewayError } from '../errors.ts';
import { MAX_NAME_CHARACTERS, MAX_VIDEO_JOB_BYTES } from '../limits.ts';
import { callUpstream, UNCOMPRESSED } from './call-upstream.ts';
import { safeCode, safeDetail } from './errors.ts';
import { readJson, unexpectedBody } from './read-response.ts';
import type { Upstream } from './upstreams.ts';

/**
 * The Videos API: a job is created, polled until it has ended, and its files are downloaded.
 * https://platform.openai.com/docs/api-reference/videos
 */

/**
 * What an id may look like, as it becomes a part of paths and names. OpenAI's are `video_` and hexadecimal digits; those
 * of gateways in front of several servers are longer, and base64.
 */
export const VIDEO_ID = /^[A-Za-z0-9][A-Za-z0-9_=.-]{0,511}$/;

/** Two dots in a row would lead out of a path. */
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
/** Beyond this, a number of seconds would be in the year 5138: it is meant in milliseconds. */
const MAX_SECONDS = 100_000_000_000;

/** Unix seconds, whole, in which they come; servers that leave them out have all their videos under the first day, 0. */
function toUnixSeconds(value: unknown): number {
  const number = typeof value === 'string' && Number.isNaN(Number(value)) ? Date.parse(value) : Number(value ?? Number.NaN);
  const seconds = Math.floor(number > MAX_SECONDS ? number / 1000 : number);
  return seconds >= 0 && seconds < MAX_SECONDS ? seconds : 0;
}

/** Starts a job, with one request that is never repeated. */
export async function createVideo(upstream: Upstream, request: OpenAI.VideoCreateParams, signal: AbortSignal): Promise<VideoJob> {
  // A client that goes away does not undo it, and then nobody would know the id.
  const options = { paid: true, signal, finish: true, timeoutMs: CREATE_TIMEOUT_MS };
  try {
    const raw = await callUpstream(upstream, options, async (until) =>
      readJob(await upstream.client.videos.create(request, { signal: until }).asResponse(), upstream, true),
    );
    return parseJob(raw, upstream, true);
  } catch (error) {
    const status = missingStatus(error);
    if (status === undefined) throw error;
    throw new GatewayError({ kind: 'no_videos', service: upstream.service, status }, { cause: error });
  }
}

/** Asks how a job is. Throws `video_unknown` when the upstream does not know it. */
export async function retrieveVideo(upstream: Upstream, videoId: string, signal: AbortSignal): Promise<VideoJob> {
  const { service } = upstream;
  try {
    const raw = await callUpstream(upstream, { paid: false, signal, timeoutMs: RETRIEVE_TIMEOUT_MS }, async (until) =>
      readJob(await upstream.client.videos.retrieve(videoId, { signal: until }).asResponse(), upstream, false),
    );
    return { ...parseJob(raw, upstream, false), id: videoId };
  } catch (error) {
    const status = missingStatus(error);
    if (status === undefined) throw error;
    throw new GatewayError({ kind: 'video_unknown', service, videoId, status }, { cause: error });
  }
}

/** Opens one of the files of a job that is completed. Servers may redirect to where they keep them. */
export function openVideo(upstream: Upstream, videoId: string, variant: VideoVariant): Promise<Response> {
  // The video is paid for: it is stored even when the client has gone.
  const { signal } = new AbortController();
  const requestOptions = { headers: UNCOMPRESSED, fetchOptions: { redirect: 'follow' as const } };
  return callUpstream(upstream, { paid: false, signal, timeoutMs: DOWNLOAD_TIMEOUT_MS }, (until) =>
    upstream.client.videos.downloadContent(videoId, { variant }, { ...requestOptions, signal: until }).asResponse(),
  );
}

export type VideoState = 'pending' | 'completed' | 'failed';

/** How the job stands. A status that is not known counts as going on, unless it comes with an error: the job is paid for. */
export function stateOf({ status, error }: VideoJob): VideoState {
  const name = status.toLowerCase();
  if (['completed', 'succeeded', 'success', 'done'].includes(name)) return 'completed';
  if (['failed', 'failure', 'error', 'rejected', 'cancelled', 'canceled', 'expired'].includes(name)) return 'failed';
  return ['queued', 'in_progress'].includes(name) || !error ? 'pending' : 'failed';
}

/** Why a job has ended without a video. */
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
  // Whatever id it has may help the operator to find what was paid for.
  const given = typeof raw === 'object' && raw !== null && 'id' in raw ? raw.id : undefined;
  const isPlain = typeof given === 'string' || typeof given === 'number';
  const id = isPlain ? ` (id ${upstream.redact(JSON.stringify(given), MAX_ID_CHARACTERS)})` : '';
  throw unexpectedBody(upstream, `it is no video job${id}`, paid);
}

/** 404 or 410, unless it is the model that is missing. */
function missingStatus(error: unknown): number | undefined {
  if (!(error instanceof GatewayError) || error.failure.kind !== 'upstream_status') return undefined;
  const { status, code } = error.failure;
  return (status === 404 || status === 410) && code !== 'model_not_found' ? status : undefined;
}
