import { APIConnectionError, APIError, APIUserAbortError, OpenAIError } from 'openai';
import type { Failure } from '../errors.ts';
import { retryAfterSeconds } from '../http-semantics.ts';
import type { Redact } from '../redact.ts';

import type { Upstream } from './upstreams.ts';

/** Node's codes for names, ports and certificates that do not work; other codes occur on open connections as well. */
const NEVER_CONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT', 'ERR_SSL_WRONG_VERSION_NUMBER']);
const CERTIFICATE_CODES = ['CERT_', 'SELF_SIGNED', 'UNABLE_TO_', 'ERR_TLS_CERT_'];
const MAX_DETAIL_CHARACTERS = 500;
/** Compared without case and punctuation: servers spell them in several ways. */
const REFUSAL_CODES = new Set(['contentfilter', 'contentpolicyviolation', 'moderationblocked', 'responsibleaipolicyviolation']);
const QUOTA_CODES = new Set(['insufficient_quota', 'billing_hard_limit_reached']);

/** What it means for a client that a call to an upstream threw `error`; `undefined` when that is a bug. */
export function toFailure(error: unknown, upstream: Upstream, paid: boolean): Failure | undefined {
  const { service, variables } = upstream;
  if (error instanceof APIError && typeof error.status === 'number') return statusFailure(error, error.status, upstream, paid);
  // The client parses success bodies as JSON; one that is none surfaces as a SyntaxError.
  if (error instanceof SyntaxError) return { kind: 'upstream_answer', service, problem: 'the body is not valid JSON', paid, variables };
  if (isConnectionFault(error)) return { kind: 'upstream_unreachable', service, sent: !neverConnected(error), paid, variables };
  // An error that is sent in the middle of a streamed answer has no status.
  if (error instanceof APIError) return { kind: 'upstream_answer', service, problem: 'it broke its answer off with an error', paid };
  return undefined;
}

/**
 * No connection, or one that broke before the end of the answer. The client wraps what happens before the headers; the
 * body's faults come as each runtime reports them: on Node a TypeError with a cause, on Workers a plain Error.
 */
function isConnectionFault(error: unknown): boolean {
  if (error instanceof APIConnectionError || error instanceof APIUserAbortError || error instanceof DOMException) return true;
  if (error instanceof OpenAIError || !(error instanceof Error)) return false;
  return error instanceof TypeError ? error.cause !== undefined : error.name === 'Error';
}

/** Whether the system says that there was no connection, and so no request; Workers do not tell. */
function neverConnected(error: unknown): boolean {
  // The client wraps what happens before the headers; anything later was sent.
  if (!(error instanceof APIConnectionError)) return false;
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    if ('code' in cause && typeof cause.code === 'string' && isOfConnecting(cause.code)) return true;
  }
  return false;
}

function isOfConnecting(code: string): boolean {
  return NEVER_CONNECTED.has(code) || CERTIFICATE_CODES.some((part) => code.includes(part));
}

function statusFailure(error: APIError, status: number, upstream: Upstream, paid: boolean): Failure {
  const { service, redact } = upstream;
  const code = safeCode(error.code, redact) ?? safeCode(error.type, redact);
  if (status === 429 && code !== undefined && QUOTA_CODES.has(code)) return { kind: 'quota_exhausted', service };
  const detail = safeDetail(error.error, status, redact);
  if (status === 400 && [code, innerCode(error.error, redact)].some(isRefusal)) return { kind: 'content_refused', service, detail };
  const retryAfter = error.headers ? retryAfterSeconds(error.headers) : undefined;
  return { kind: 'upstream_status', service, status, code, detail, retryAfterSeconds: retryAfter, paid, variables: upstream.variables };
}

function isRefusal(code: string | undefined): boolean {
  return code !== undefined && REFUSAL_CODES.has(code.toLowerCase().replace(/[^a-z]/g, ''));
}

/** Azure tells of its content filter in an inner error. */
function innerCode(body: unknown, redact: Redact): string | undefined {
  const inner = property(body, 'innererror') ?? property(body, 'inner_error');
  return safeCode(property(inner, 'code'), redact);
}

/** A code in OpenAI's style, unless it holds a secret. */
export function safeCode(code: unknown, redact: Redact): string | undefined {
  return typeof code === 'string' && /^[\w.-]{1,64}$/.test(code) && redact(code) === code ? code : undefined;
}

/** The upstream's own sentence, when it sent one in OpenAI's error shape; never a raw body. */
export function safeDetail(body: unknown, status: number | undefined, redact: Redact): string | undefined {
  const message = property(body, 'message');
  // Sentences about the key quote a part of it; the status says enough.
  if (typeof message !== 'string' || status === 401 || /api[-_ ]?key/i.test(message.slice(0, MAX_DETAIL_CHARACTERS))) return undefined;
  return redact(message, MAX_DETAIL_CHARACTERS);
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
