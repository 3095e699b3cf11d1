import { APIError } from 'openai';
import type { Failure } from '../errors.ts';
import { retryAfterSeconds } from './retry-refused.ts';
import type { Upstream } from './upstreams.ts';

const MAX_DETAIL_CHARACTERS = 500;
const REFUSAL_CODES = new Set(['content_filter', 'content_policy_violation', 'moderation_blocked', 'ResponsibleAIPolicyViolation']);

/** What it means for a client that a call to an upstream threw `error`. */
export function toFailure(error: unknown, upstream: Upstream, paid: boolean): Failure {
  const { service } = upstream;
  if (error instanceof APIError && typeof error.status === 'number') return statusFailure(error, error.status, upstream);
  // The client parses success bodies as JSON; one that is none surfaces as a SyntaxError.
  if (error instanceof SyntaxError) return { kind: 'upstream_answer', service, problem: 'the body is not valid JSON', paid };
  // What is left: no connection, or one that broke before the end of the answer, which each runtime reports in its own way.
  return { kind: 'upstream_unreachable', service, paid };
}

function statusFailure(error: APIError, status: number, upstream: Upstream): Failure {
  const { service } = upstream;
  const code = safeCode(error.code) ?? safeCode(error.type);
  if (status === 429 && (code === 'insufficient_quota' || code === 'billing_hard_limit_reached'))
    return { kind: 'quota_exhausted', service };
  // A 401 quotes a part of the key, so its words are never told; the status says enough.
  const detail = status === 401 ? undefined : safeDetail(error.error, upstream.client.apiKey);
  if (status === 400 && code !== undefined && REFUSAL_CODES.has(code)) return { kind: 'content_refused', service, detail };
  const retryAfter = error.headers ? retryAfterSeconds(error.headers) : undefined;
  return { kind: 'upstream_status', service, status, code, detail, retryAfterSeconds: retryAfter };
}

function safeCode(code: unknown): string | undefined {
  return typeof code === 'string' && /^[\w.-]{1,64}$/.test(code) ? code : undefined;
}

/** The upstream's own sentence, when it sent one in OpenAI's error shape; never a raw body. */
function safeDetail(body: unknown, apiKey: string | null): string | undefined {
  const message = typeof body === 'object' && body !== null && 'message' in body ? body.message : undefined;
  if (typeof message !== 'string') return undefined;
  const withoutKey = apiKey && apiKey.length >= 6 ? message.replaceAll(apiKey, '[key]') : message;
  return redact(withoutKey).slice(0, MAX_DETAIL_CHARACTERS);
}

/** Takes out whatever looks like a key, a bearer token, a SAS signature or inline data, and folds white space. */
export function redact(text: string): string {
  return text
    .replace(/\bsk-[\w*-]{4,}/g, '[key]')
    .replace(/\b(bearer|api[-_ ]key:?)\s+[\w.~+/*=-]{8,}/gi, '$1 [key]')
    .replace(/\b(sig|signature|AccountKey)=[^&;\s"']+/gi, '$1=[redacted]')
    .replace(/\bdata:[\w/+.-]*;base64,[\w+/=]*/g, '[data]')
    .replace(/\s+/g, ' ')
    .trim();
}
