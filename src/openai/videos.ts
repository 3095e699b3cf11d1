import type { OpenAI } from 'openai';
import { z } from 'zod';
import { type Failure, GatewayError } from '../errors.ts';
import { redact } from '../redact.ts';
import { callUpstream } from './call-upstream.ts';
import type { Upstream } from './upstreams.ts';

/**
 * The Videos API: a job is created, polled until it has ended, and its files are downloaded.
 * https://platform.openai.com/docs/api-reference/videos
 */

/** What an id may look like, as it becomes a part of paths and names. */
export const VIDEO_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;

type VideoVariant = 'video' | 'thumbnail' | 'spritesheet';

const jobSchema = z.object({
  id: z.string().regex(VIDEO_ID),
  status: z.string(),
  progress: z.number().nullish().catch(null),
  /** Unix seconds. Servers that leave it out have all their videos under one day. */
  created_at: z.int().min(0).max(253_402_300_799).catch(0),
  model: z.string().nullish().catch(null),
  seconds: z.coerce.string().nullish().catch(null),
  size: z.string().nullish().catch(null),
  error: z
    .object({ code: z.string().nullish().catch(null), message: z.string().nullish().catch(null) })
    .nullish()
    .catch(null),
});

export type VideoJob = z.output<typeof jobSchema>;

const CREATE_TIMEOUT_MS = 120_000;
const RETRIEVE_TIMEOUT_MS = 30_000;
const DOWNLOAD_TIMEOUT_MS = 60_000;
const MAX_DETAIL_CHARACTERS = 500;

/** Starts a job, with one request that is never repeated. */
export async function createVideo(upstream: Upstream, request: OpenAI.VideoCreateParams, signal: AbortSignal): Promise<VideoJob> {
  try {
    const raw = await callUpstream(upstream, { paid: true, signal, timeoutMs: CREATE_TIMEOUT_MS }, (until) =>
      upstream.client.videos.create(request, { signal: until }),
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
    const raw = await callUpstream(upstream, { paid: false, signal, timeoutMs: RETRIEVE_TIMEOUT_MS }, (until) =>
      upstream.client.videos.retrieve(videoId, { signal: until }),
    );
    return parseJob(raw, upstream, false);
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
  return callUpstream(upstream, { paid: false, signal, timeoutMs: DOWNLOAD_TIMEOUT_MS }, (until) =>
    upstream.client.videos.downloadContent(videoId, { variant }, { signal: until, fetchOptions: { redirect: 'follow' } }),
  );
}

/** Whether the job still goes on. A status that is not known counts as going on: the job is paid for. */
export function isPending({ status }: VideoJob): boolean {
  return !['completed', 'failed', 'cancelled', 'canceled', 'expired'].includes(status);
}

/** Why a job has ended without a video. */
export function videoFailure({ id, status, error }: VideoJob, upstream: Upstream): Failure {
  const code = error?.code && /^[\w.-]{1,64}$/.test(error.code) ? error.code : status;
  const detail = error?.message ? redact(error.message).slice(0, MAX_DETAIL_CHARACTERS) : undefined;
  return { kind: 'video_failed', service: upstream.service, videoId: id, code, detail };
}

function parseJob(raw: unknown, upstream: Upstream, paid: boolean): VideoJob {
  const job = jobSchema.safeParse(raw);
  if (job.success) return job.data;
  throw new GatewayError({ kind: 'upstream_answer', service: upstream.service, problem: 'it is no video job', paid });
}

/** 404 or 410, unless it is the model that is missing. */
function missingStatus(error: unknown): number | undefined {
  if (!(error instanceof GatewayError) || error.failure.kind !== 'upstream_status') return undefined;
  const { status, code } = error.failure;
  return (status === 404 || status === 410) && code !== 'model_not_found' ? status : undefined;
}
