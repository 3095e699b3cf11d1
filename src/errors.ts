import { isTransientStatus } from './http-semantics.ts';

/** The variables that configure an upstream, named in errors that only the operator can fix. */
export type UpstreamVariables = Readonly<{ key: string; baseUrl: string; model: string }>;

/**
 * Every known failure. The union is closed: a new kind is a new member here, and the compiler then requires its
 * sentence in {@link describeFailure}. Anything else that is thrown is a bug and reaches a client as "Internal error".
 */
export type Failure =
  /** The arguments of a call are invalid; each problem names its argument and what is allowed. */
  | { kind: 'invalid_input'; problems: readonly string[] }
  /** The operator has not set the variables this call needs. */
  | { kind: 'not_configured'; what: string; variables: readonly string[] }
  /** The call may cost more than its caller allows; `problem`: it is not known what it costs. */
  | ({ kind: 'too_expensive'; maximumUsd: number } & ({ usd: number; model: string; cheaper: string } | { problem: string }))
  /** The memory for calls in flight is fully reserved. */
  | { kind: 'busy'; retryAfterSeconds: number }
  /** A budget has too little left for what the call may cost. `whose`: the principal's name, or "the gateway". */
  | { kind: 'over_budget'; whose: string; limitUsd: number; leftUsd: number; estimateUsd: number; nowMs: number; renewsMs: number }
  /** There is a budget, and nobody knows what the call may cost. */
  | { kind: 'price_unknown'; problem: string }
  /** As many calls of the principal are running as may. */
  | { kind: 'too_many_calls'; limit: number }
  /** The upstream returned an error status, or a redirect. */
  | {
      kind: 'upstream_status';
      service: string;
      status: number;
      code?: string | undefined;
      detail?: string | undefined;
      retryAfterSeconds?: number | undefined;
      paid: boolean;
      variables: UpstreamVariables;
    }
  /** The upstream's safety system refused the content. */
  | { kind: 'content_refused'; service: string; detail?: string | undefined }
  /** The account's quota is exhausted; waiting does not help. */
  | { kind: 'quota_exhausted'; service: string; status: number }
  | { kind: 'upstream_timeout'; service: string; paid: boolean }
  /** `sent`: whether the upstream may have received the request. */
  | { kind: 'upstream_unreachable'; service: string; sent: boolean; paid: boolean; variables: UpstreamVariables }
  /** A success status with an unexpected body; `problem` says what is wrong with it. */
  | { kind: 'upstream_answer'; service: string; problem: string; paid: boolean; variables?: UpstreamVariables | undefined }
  /** The upstream has no Videos API: it returns 404 or 410 for /videos. */
  | { kind: 'no_videos'; service: string; status: number }
  /** The video job failed upstream. */
  | { kind: 'video_failed'; service: string; videoId: string; code?: string | undefined; detail?: string | undefined }
  /** The video is unknown to the upstream, or has expired there, and no copy of it is stored. */
  | { kind: 'video_unknown'; service: string; videoId: string; status: number }
  /** A failure after the video job had started; the job itself continues. */
  | { kind: 'video_interrupted'; videoId: string; reason: Failure }
  /** A failure after pieces of long speech have been made, which are kept; `part` is the one that failed, if one did. */
  | { kind: 'speech_interrupted'; part?: number | undefined; made: number; of: number; reason: Failure }
  /** The first upstream refused the call before it began, and the second failed, too. */
  | { kind: 'fallback_failed'; first: Failure; second: Failure }
  /** Media was generated and billed but could not be stored. */
  | { kind: 'media_lost'; what: string; reason: Failure }
  /** A file that was sent to the gateway was not stored. */
  | { kind: 'upload_refused'; problem: UploadProblem; maxBytes: number }
  /** The object store rejected a request or is unreachable. */
  | { kind: 'storage'; problem: string; retryable: boolean }
  /** The same, detected before anything was sent or billed. */
  | { kind: 'storage_unusable'; reason: Failure }
  /** No such job of this principal and tool is remembered. */
  | { kind: 'job_unknown'; jobId: string }
  /** The process that ran the job has gone. */
  | { kind: 'job_interrupted'; jobId: string; startedMs: number }
  /** The job failed while no client waited; `outcome` and `sentence` are those of its failure. */
  | { kind: 'job_failed'; jobId: string; startedMs: number; outcome: string; sentence: string }
  /** The job's result was delivered, and is not kept any longer. */
  | { kind: 'job_result_gone'; jobId: string; startedMs: number }
  /** The idempotency key belongs to a call with other arguments. */
  | { kind: 'key_reused' }
  /** The client disconnected or cancelled; `sent`: after a paid request may have been sent. */
  | { kind: 'cancelled'; sent?: boolean };

/** Why an upload is refused, and what to do about it. */
const UPLOAD_SENTENCES = {
  unknown: 'This upload URL is not one of this gateway: check that it is complete, or get a new one with create_upload.',
  expired: 'This upload URL has expired: get a new one with create_upload.',
  used: 'This upload URL has been used: it takes one file. Get another with create_upload.',
  empty: 'The body is empty: send the content of the file as the body of the PUT.',
  encoded: 'The body must be sent as it is, without Content-Encoding.',
  unsupported:
    'Only images (PNG, JPEG, WebP, GIF) and audio (MP3, WAV, FLAC, Ogg, AAC, M4A, MP4, WebM) are taken, and the content is none of these: convert it first.',
  too_large: 'The file is too large.',
  too_slow: 'The file arrived too slowly.',
  broken: 'The body ended before the file was complete.',
} as const;
export type UploadProblem = keyof typeof UPLOAD_SENTENCES;

/** Carries a failure to the one error boundary (`mcp/compile-tool.ts`). */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly failure: Failure;
  readonly retry: FreeRetry | undefined;

  constructor(failure: Failure, options?: ErrorOptions & { retry?: FreeRetry | undefined }) {
    super(describeFailure(failure), options);
    this.failure = failure;
    this.retry = options?.retry;
  }
}

/** What failed after everything was paid for, such as an upload, can be repeated while the process holds its content. */
export type FreeRetry = Readonly<{
  run: () => Promise<Record<string, unknown>>;
  /** Frees the memory, when nobody will retry. */
  drop: () => void;
}>;

/** The error with what its retry resolves to changed, and `drop` besides its own. */
export function mapRetry(error: unknown, map: (result: Record<string, unknown>) => Record<string, unknown>, drop = () => {}): unknown {
  if (!(error instanceof GatewayError) || !error.retry) return error;
  const { run, drop: dropFirst } = error.retry;
  const again = () =>
    run().then(map, (next: unknown) => {
      throw mapRetry(next, map, drop);
    });
  const dropAll = () => {
    dropFirst();
    drop();
  };
  return new GatewayError(error.failure, { cause: error, retry: { run: again, drop: dropAll } });
}

/** Whether retrying the same request later may succeed. Ignores what the retry costs. */
export function isTransient(failure: Failure): boolean {
  if (failure.kind === 'upstream_status') return failure.status >= 500 || isTransientStatus(failure.status);
  if (failure.kind === 'storage') return failure.retryable;
  return ['upstream_unreachable', 'upstream_timeout', 'upstream_answer'].includes(failure.kind);
}

/** Whether the upstream may charge for the request that failed. */
export function mayBeBilled(failure: Failure): boolean {
  switch (failure.kind) {
    case 'upstream_status':
      return failure.paid && failure.status >= 500 && failure.status !== 503;
    case 'upstream_unreachable':
      return failure.paid && failure.sent;
    case 'upstream_timeout':
    case 'upstream_answer':
      return failure.paid;
    case 'speech_interrupted':
      return mayBeBilled(failure.reason);
    case 'fallback_failed':
      return mayBeBilled(failure.first) || mayBeBilled(failure.second);
    case 'media_lost':
    case 'video_failed':
    case 'video_interrupted':
    case 'job_interrupted':
    case 'job_failed':
    case 'job_result_gone':
      return true;
    default:
      return false;
  }
}

/** What the client reads: what happened, who returned what, whether it was billed, whether and when to retry. */
export function describeFailure(failure: Failure): string {
  const sentences = describe(failure);
  return sentences.charAt(0).toUpperCase() + sentences.slice(1);
}

function describe(failure: Failure): string {
  switch (failure.kind) {
    case 'invalid_input':
      return `Invalid arguments: ${failure.problems.join('; ')}. Nothing was sent; correct the arguments and retry.`;
    case 'not_configured':
      return `${failure.what} is not configured on this gateway: the operator must set ${failure.variables.join(', ')}. Nothing was sent; retrying will not help until then.`;
    case 'too_expensive':
      return describeExpense(failure);
    case 'busy':
      return `The gateway is busy. Nothing was sent or billed; retry in ${failure.retryAfterSeconds} s.`;
    case 'over_budget':
      return describeBudget(failure);
    case 'price_unknown':
      return `There is a budget, and it is not known what this call costs: ${failure.problem} Nothing was sent or billed.`;
    case 'too_many_calls':
      return `${failure.limit} of your calls are running, which is as many as may run at once. Nothing was sent or billed; wait for one to end, then retry.`;
    case 'upstream_status':
      return describeStatus(failure);
    case 'content_refused':
      return `${failure.service} refused the content for safety reasons${quoted(failure.detail)}. The same request will be refused again; change the prompt.`;
    case 'quota_exhausted':
      return `${failure.service} returned ${failure.status}: the account's quota is exhausted. Retrying will not help until the operator adds credit or raises the limit.`;
    case 'upstream_timeout':
      return `${failure.service} timed out. ${retryAdvice(failure.paid)}`;
    case 'upstream_unreachable':
      return describeUnreachable(failure);
    case 'upstream_answer':
      return describeUnexpectedBody(failure);
    case 'no_videos':
      return `${failure.service} returned ${failure.status}: it has no Videos API. (OpenAI shut down its own on 2026-09-24.) The operator must set OPENAI_VIDEO_BASE_URL to a server that has one (the URL usually ends in /v1); nothing was billed.`;
    case 'video_failed':
      return `${failure.service} could not generate the video ${failure.videoId}${failure.code ? ` (${failure.code})` : ''}${quoted(failure.detail)}. The job has ended; a new one needs a new call with a prompt and is billed again.`;
    case 'video_unknown':
      return `${failure.service} returned ${failure.status}: video ${failure.videoId} is unknown or has expired, and no recent copy is stored. Check the id; if every id is unknown, the server has no Videos API and the operator must set OPENAI_VIDEO_BASE_URL.`;
    case 'video_interrupted':
      return `${describeFailure(failure.reason)} The video job is not lost: to continue, call generate_video with video_id "${failure.videoId}"; that is not billed again.`;
    case 'speech_interrupted':
      return describeInterruptedSpeech(failure);
    case 'fallback_failed':
      return `${describeFailure(failure.first)} The fallback failed, too: ${describeFailure(failure.second)}`;
    case 'media_lost':
      return `${failure.what} generated and billed but could not be stored: ${describeFailure(failure.reason)}`;
    case 'upload_refused':
      return `${UPLOAD_SENTENCES[failure.problem]}${failure.problem === 'too_large' ? ` At most ${failure.maxBytes} bytes are taken.` : ''} Nothing was stored.`;
    case 'storage':
      return `${failure.problem}. ${failure.retryable ? 'Retrying later may help.' : 'Retrying will not help until the operator fixes this.'}`;
    case 'storage_unusable':
      return `Nothing was sent or billed, because what the call needs could not be stored: ${describeFailure(failure.reason)}`;
    case 'job_unknown':
      return `Job ${failure.jobId} is unknown, has expired, or belongs to another tool. Check the id and the tool; nothing was sent or billed.`;
    case 'job_interrupted':
      return `The call of ${iso(failure.startedMs)} (${failure.jobId}) was interrupted before its result was stored, and may have been billed. Calling again starts a new one, which is billed; with an idempotency_key, use a new key.`;
    case 'job_failed':
      return `The call of ${iso(failure.startedMs)} (${failure.jobId}) failed (${failure.outcome}): ${failure.sentence}`;
    case 'job_result_gone':
      return `The call of ${iso(failure.startedMs)} (${failure.jobId}) was completed and its result delivered; it is not kept any longer. Nothing was billed again.`;
    case 'key_reused':
      return 'idempotency_key: was used with other arguments. Repeat the call with the same arguments, or pass a new key. Nothing was sent or billed.';
    case 'cancelled':
      return 'The call was cancelled.';
  }
}

function describeBudget({ whose, limitUsd, leftUsd, estimateUsd, nowMs, renewsMs }: Extract<Failure, { kind: 'over_budget' }>): string {
  const minutes = Math.ceil((renewsMs - nowMs) / 60_000);
  const wait = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
  return `The daily budget of ${whose}, ${dollars(limitUsd)}, has ${dollars(leftUsd)} left, and this call may cost ${dollars(estimateUsd)}. Nothing was sent or billed. It renews at ${iso(renewsMs)} (in ${wait}); until then, only a cheaper call can be made.`;
}

const SMALL = new Intl.NumberFormat('en', { minimumSignificantDigits: 2, maximumSignificantDigits: 2 });

/** At least cents; small amounts with two digits that count. */
function dollars(usd: number): string {
  return `$${usd === 0 || usd >= 0.1 ? usd.toFixed(2) : SMALL.format(usd)}`;
}

function describeExpense(failure: Extract<Failure, { kind: 'too_expensive' }>): string {
  const { maximumUsd } = failure;
  if ('problem' in failure)
    return `max_cost_usd (${maximumUsd}) cannot be held: ${failure.problem} Nothing was sent or billed; without max_cost_usd, the call is made.`;
  const { model, usd, cheaper } = failure;
  return `This call may cost about $${roundUp(usd)} with ${model}, which is more than max_cost_usd (${maximumUsd}). Nothing was sent or billed; allow more, or choose ${cheaper}.`;
}

/** To two digits, so that allowing as much is enough. */
function roundUp(usd: number): number {
  const unit = 10 ** (Math.floor(Math.log10(usd)) - 1);
  return Number((Math.ceil(usd / unit) * unit).toPrecision(2));
}

function describeStatus(failure: Extract<Failure, { kind: 'upstream_status' }>): string {
  const { service, status, code, detail, variables } = failure;
  const response = `${service} returned ${status}${code ? ` (${code})` : ''}${quoted(detail)}.`;
  const wait = failure.retryAfterSeconds;
  if (status < 400) return `${response} Redirects are not followed; the operator must correct the base URL of this service.`;
  if (status === 401)
    return `${response} The gateway's API key (${variables.key}) is missing or was rejected; the operator must correct it. Retrying will not help.`;
  if (status === 403) return `${response} The gateway's account lacks permission for this. Retrying will not help; contact the operator.`;
  if (status === 404)
    return `${response} The model, deployment or endpoint does not exist there: check the name (the default is ${variables.model}); if every name fails, the operator must check ${variables.baseUrl}. list_supported_models shows what is configured.`;
  if (status === 429) return `${response} Too many requests; retry ${wait === undefined ? 'shortly' : `in ${wait} s`}.`;
  if (status >= 500) {
    const billed = failure.paid && status !== 503 ? ' The request may have been processed and billed.' : '';
    return `${response} The service failed; retry in ${wait === undefined ? 'a minute' : `${wait} s`}.${billed} If this persists, contact the operator.`;
  }
  if (status === 408 || status === 409) return `${response} Retrying may help.`;
  return `${response} The same request will be rejected again; correct it first.`;
}

function describeUnexpectedBody({ service, problem, paid, variables }: Extract<Failure, { kind: 'upstream_answer' }>): string {
  const happened = `${service} returned 200 with an unexpected body: ${problem}. ${paid ? 'A retry may be billed again.' : 'Retrying is free.'}`;
  if (!variables) return happened;
  // Azure's endpoint has no version in its path.
  const hint = variables.baseUrl.endsWith('_BASE_URL') ? `${variables.baseUrl}, which usually ends in /v1` : variables.baseUrl;
  return `${happened} If this persists, the operator must check ${hint}.`;
}

function describeInterruptedSpeech({ part, made, of, reason }: Extract<Failure, { kind: 'speech_interrupted' }>): string {
  const happened = `${part === undefined ? '' : `Part ${part} of ${of} failed. `}${describeFailure(reason)}`;
  const key = mayBeBilled(reason) ? ' (and a new idempotency_key, if it has one)' : '';
  const price = made === of ? 'is not billed' : 'is billed only for the rest';
  return `${happened} ${made} of ${of} parts of the speech are made and kept: a call with the same arguments${key} ${price}.`;
}

function describeUnreachable({ service, sent, paid, variables }: Extract<Failure, { kind: 'upstream_unreachable' }>): string {
  const happened = sent
    ? `The connection to ${service} failed before the response was complete. ${retryAdvice(paid)}`
    : `Could not connect to ${service}${paid ? '; nothing was sent or billed' : ''}. Retry shortly.`;
  return `${happened} If this persists, the operator must check ${variables.baseUrl} and the network.`;
}

function retryAdvice(paid: boolean): string {
  return paid ? 'The request may have been processed and billed; a retry may be billed again.' : 'Retry shortly.';
}

function quoted(detail: string | undefined): string {
  return detail ? `: ${detail.replace(/[.\s]+$/, '')}` : '';
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
