import { APIConnectionError, APIError, APIUserAbortError, OpenAIError } from 'openai/error';
import type { Failure } from '../errors.ts';
import { retryAfterSeconds } from '../http-semantics.ts';
import type { Redact } from '../redact.ts';
import type { Upstream } from './upstreams.ts';

/** Node's codes for DNS, connect and TLS failures; other codes may also occur after the request was sent. */
const NEVER_CONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT', 'ERR_SSL_WRONG_VERSION_NUMBER']);
const CERTIFICATE_CODES = ['CERT_', 'SELF_SIGNED', 'UNABLE_TO_', 'ERR_TLS_CERT_'];
const MAX_DETAIL_CHARACTERS = 500;
/** Compared without case and punctuation, as servers spell them differently. */
const REFUSAL_CODES = new Set(['contentfilter', 'contentpolicyviolation', 'moderationblocked', 'responsibleaipolicyviolation']);
const QUOTA_CODES = new Set(['insufficient_quota', 'billing_hard_limit_reached']);

/** Maps an error thrown by a call to an upstream to a failure; `undefined` for a bug. */
export function toFailure(error: unknown, upstream: Upstream, paid: boolean): Failure | undefined {
  const { service, variables } = upstream;
  if (error instanceof APIError && typeof error.status === 'number') return statusFailure(error, error.status, upstream, paid);
  // The client parses success bodies as JSON and throws a SyntaxError when they are not.
  if (error instanceof SyntaxError) return { kind: 'upstream_answer', service, problem: 'not valid JSON', paid, variables };
  if (isConnectionError(error)) return { kind: 'upstream_unreachable', service, sent: !failedToConnect(error), paid, variables };
  // An error event inside a stream has no status.
  if (error instanceof APIError) return { kind: 'upstream_answer', service, problem: 'the stream ended with an error', paid };
  return undefined;
}

/**
 * No connection, or one that broke before the end of the response. The client wraps errors before the headers; body
 * errors are the runtime's own: a TypeError with a cause on Node, a plain Error on Workers.
 */
function isConnectionError(error: unknown): boolean {
  if (error instanceof APIConnectionError || error instanceof APIUserAbortError || error instanceof DOMException) return true;
  if (error instanceof OpenAIError || !(error instanceof Error)) return false;
  return error instanceof TypeError ? error.cause !== undefined : error.name === 'Error';
}

/** Whether the connection was never established, so that nothing was sent. Workers do not report that. */
function failedToConnect(error: unknown): boolean {
  // The client wraps errors before the headers; after them, the request has been sent.
  if (!(error instanceof APIConnectionError)) return false;
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string' && isConnectCode(cause.code)) return true;
  }
  return false;
}

function isConnectCode(code: string): boolean {
  return NEVER_CONNECTED.has(code) || CERTIFICATE_CODES.some((part) => code.includes(part));
}

function statusFailure(error: APIError, status: number, upstream: Upstream, paid: boolean): Failure {
  const { service, redact } = upstream;
  const code = safeCode(error.code, redact) ?? safeCode(error.type, redact);
  if (isQuotaExhausted(status, code)) return { kind: 'quota_exhausted', service, status };
  const detail = safeDetail(error.error, status, redact);
  if (status === 400 && [code, innerCode(error.error, redact)].some(isRefusal)) return { kind: 'content_refused', service, detail };
  const retryAfter = error.headers ? retryAfterSeconds(error.headers) : undefined;
  return { kind: 'upstream_status', service, status, code, detail, retryAfterSeconds: retryAfter, paid, variables: upstream.variables };
}

/** OpenAI returns 429, for images also 400; other servers 402 (Payment Required), with codes of their own. */
function isQuotaExhausted(status: number, code: string | undefined): boolean {
  return status === 402 || (status < 500 && code !== undefined && QUOTA_CODES.has(code));
}

function isRefusal(code: string | undefined): boolean {
  return code !== undefined && REFUSAL_CODES.has(code.toLowerCase().replace(/[^a-z]/g, ''));
}

/** Azure reports its content filter in an inner error. */
function innerCode(body: unknown, redact: Redact): string | undefined {
  const inner = property(body, 'innererror') ?? property(body, 'inner_error');
  return safeCode(property(inner, 'code'), redact);
}

/** An error code in OpenAI's style, unless it contains a secret. */
export function safeCode(code: unknown, redact: Redact): string | undefined {
  return typeof code === 'string' && /^[\w.-]{1,64}$/.test(code) && redact(code) === code ? code : undefined;
}

/** The upstream's error message, if the body has OpenAI's error shape; never a raw body. */
export function safeDetail(body: unknown, status: number | undefined, redact: Redact): string | undefined {
  const message = property(body, 'message');
  // Messages about the key quote part of it; the status says enough.
  if (typeof message !== 'string' || status === 401 || /api[-_ ]?key/i.test(message.slice(0, MAX_DETAIL_CHARACTERS))) return undefined;
  return redact(message, MAX_DETAIL_CHARACTERS);
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
