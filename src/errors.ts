/** The variables by which the operator has chosen an upstream, for errors that only they can repair. */
export type UpstreamVariables = Readonly<{ key: string; baseUrl: string; model: string }>;

/**
 * Every failure the gateway knows. The union is closed: a new kind of failure is a new member here, and the
 * compiler then asks for its sentence in {@link describeFailure}. Anything else that is thrown is a bug and reaches
 * a client as "Internal error".
 */
export type Failure =
  /** The arguments of a call are wrong; each problem names its argument and what is allowed. */
  | { kind: 'invalid_input'; problems: readonly string[] }
  /** The operator has not set what this call needs. */
  | { kind: 'not_configured'; what: string; variables: readonly string[] }
  /** More is in flight than there is memory for. */
  | { kind: 'busy'; retryAfterSeconds: number }
  /** The upstream answered with an HTTP status that is not a success. */
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
  /** The account has no credit left; waiting does not help. */
  | { kind: 'quota_exhausted'; service: string }
  | { kind: 'upstream_timeout'; service: string; paid: boolean }
  /** `sent`: whether the request may have arrived. */
  | { kind: 'upstream_unreachable'; service: string; sent: boolean; paid: boolean; variables: UpstreamVariables }
  /** A success status, but not the answer the API promises. */
  | { kind: 'upstream_answer'; service: string; problem: string; paid: boolean; variables?: UpstreamVariables | undefined }
  /** The upstream has no Videos API: it answers 404 or 410 on /videos. */
  | { kind: 'no_videos'; service: string; status: number }
  /** The upstream gave a video job up. */
  | { kind: 'video_failed'; service: string; videoId: string; code?: string | undefined; detail?: string | undefined }
  /** The upstream does not know the video, or not any more, and the storage has none of that id. */
  | { kind: 'video_unknown'; service: string; videoId: string; status: number }
  /** Something went wrong after a video job had begun; the job itself goes on. */
  | { kind: 'video_interrupted'; videoId: string; reason: Failure }
  /** Media was made, and paid for, but could not be kept. */
  | { kind: 'media_lost'; what: string; reason: Failure }
  /** Azure Blob Storage did not take what was sent. */
  | { kind: 'storage'; problem: string; retryable: boolean }
  /** The same, found out before anything was spent. */
  | { kind: 'storage_unusable'; reason: Failure }
  /** The client went away or asked to stop. */
  | { kind: 'cancelled' };

/** A failure on its way to the one boundary that tells the client (`mcp/compile-tool.ts`). */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly failure: Failure;

  constructor(failure: Failure, options?: ErrorOptions) {
    super(describeFailure(failure), options);
    this.failure = failure;
  }
}

/** Whether the same request, where it is free, may work a little later. */
export function isTransient(failure: Failure): boolean {
  if (failure.kind === 'upstream_status') return failure.status >= 500 || failure.status === 408 || failure.status === 429;
  if (failure.kind === 'storage') return failure.retryable;
  return ['upstream_unreachable', 'upstream_timeout', 'upstream_answer'].includes(failure.kind);
}

/** The sentences a client is told: what happened, which service answered what, whether and when to try again. */
export function describeFailure(failure: Failure): string {
  const sentences = describe(failure);
  return sentences.charAt(0).toUpperCase() + sentences.slice(1);
}

function describe(failure: Failure): string {
  switch (failure.kind) {
    case 'invalid_input':
      return `Invalid arguments: ${failure.problems.join('; ')}. Nothing was sent; correct the call and try again.`;
    case 'not_configured':
      return `${failure.what} is not configured on this gateway: ${failure.variables.join(', ')} must be set by its operator. Nothing was sent; trying again does not help until then.`;
    case 'busy':
      return `The gateway is busy. Nothing was sent or billed; try again in ${failure.retryAfterSeconds} s.`;
    case 'upstream_status':
      return describeStatus(failure);
    case 'content_refused':
      return `${failure.service} refused the content for safety reasons${quoted(failure.detail)}. The same request will be refused again; change the prompt.`;
    case 'quota_exhausted':
      return `${failure.service} answered 429: the account's quota is used up. Trying again does not help until the operator adds credit or raises the limit.`;
    case 'upstream_timeout':
      return `${failure.service} did not answer in time. ${secondTry(failure.paid)}`;
    case 'upstream_unreachable':
      return describeUnreachable(failure);
    case 'upstream_answer':
      return describeAnswer(failure);
    case 'no_videos':
      return `${failure.service} answered ${failure.status}: it has no Videos API. (OpenAI shut its own down on 2026-09-24.) The operator must set OPENAI_VIDEO_BASE_URL to a server that has one (the URL usually ends in /v1); nothing was charged.`;
    case 'video_failed':
      return `${failure.service} could not make the video ${failure.videoId}${failure.code ? ` (${failure.code})` : ''}${quoted(failure.detail)}. The job has ended; a new one needs a new call with a prompt, and is charged again.`;
    case 'video_unknown':
      return `${failure.service} answered ${failure.status}: it knows no video ${failure.videoId} (any more), and none is stored from the last days. Check the id; if every id is unknown, the server has no Videos API, and the operator must set OPENAI_VIDEO_BASE_URL.`;
    case 'video_interrupted':
      return `${describeFailure(failure.reason)} The video job is not lost: call generate_video with video_id "${failure.videoId}" to go on; that is not charged again.`;
    case 'media_lost':
      return `${failure.what} made, and charged, but could not be stored. ${describeFailure(failure.reason)}`;
    case 'storage':
      return `${failure.problem}. ${failure.retryable ? 'Trying again later may work.' : 'Trying again does not help until the operator corrects this.'}`;
    case 'storage_unusable':
      return `Nothing was sent, nor charged, because media could not be stored. ${describeFailure(failure.reason)}`;
    case 'cancelled':
      return 'The call was cancelled.';
  }
}

function describeStatus(failure: Extract<Failure, { kind: 'upstream_status' }>): string {
  const { service, status, code, detail, variables } = failure;
  const answered = `${service} answered ${status}${code ? ` (${code})` : ''}${quoted(detail)}.`;
  const wait = failure.retryAfterSeconds;
  if (status < 400) return `${answered} Redirects are not followed; the base URL of this service must be corrected by its operator.`;
  if (status === 401)
    return `${answered} The gateway's API key (${variables.key}) is missing or was refused; its operator must correct it. Trying again does not help.`;
  if (status === 403) return `${answered} The gateway's account may not do this. Trying again does not help; ask its operator.`;
  if (status === 404)
    return `${answered} The model, deployment or endpoint does not exist there: check the name (by default that of ${variables.model}); if every name fails, the operator must check ${variables.baseUrl}. list_supported_models shows what is configured.`;
  if (status === 429)
    return `${answered} Too many requests; ${wait === undefined ? 'wait a little, then try again' : `try again in ${wait} s`}.`;
  if (status >= 500) {
    const charged = failure.paid && status !== 503 ? ' It may have done the work and charged for it all the same.' : '';
    return `${answered} The service has a problem; ${wait === undefined ? 'try again in a minute' : `try again in ${wait} s`}.${charged} If it goes on, tell the operator.`;
  }
  if (status === 408 || status === 409) return `${answered} Trying again may work.`;
  return `${answered} The same request will be refused again; correct it first.`;
}

function describeAnswer({ service, problem, paid, variables }: Extract<Failure, { kind: 'upstream_answer' }>): string {
  const happened = `${service} answered with success, but not as its API promises: ${problem}. ${paid ? 'Trying again may be charged again.' : 'Trying again is free.'}`;
  if (!variables) return happened;
  // Azure's endpoint has no version in it.
  const hint = variables.baseUrl.endsWith('_BASE_URL') ? `${variables.baseUrl}, which usually ends in /v1` : variables.baseUrl;
  return `${happened} If it always does so, the operator must check ${hint}.`;
}

function describeUnreachable({ service, sent, paid, variables }: Extract<Failure, { kind: 'upstream_unreachable' }>): string {
  const happened = sent
    ? `The connection to ${service} failed before an answer arrived. ${secondTry(paid)}`
    : `Could not connect to ${service}${paid ? ': nothing was sent, nor charged' : ''}. Try again in a little while.`;
  return `${happened} If it never works, the operator must check ${variables.baseUrl} and the network.`;
}

function secondTry(paid: boolean): string {
  return paid
    ? 'It may have done the work and charged for it all the same; trying again may be charged again.'
    : 'Try again in a little while.';
}

function quoted(detail: string | undefined): string {
  return detail ? `: ${detail.replace(/[.\s]+$/, '')}` : '';
}
