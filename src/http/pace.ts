import type { Context } from 'hono';
import { type Pace, type PaceOutcome, tooManyCalls } from '../usage/pace.ts';
import type { HttpEnv } from './errors.ts';

export type PaceOptions = Readonly<{ pace: Pace; onRefused: (requestId: string) => void }>;

/**
 * Answers a message unless it is a tool call too many of its principal, which gets 429 (RFC 6585 section 4) with
 * `Retry-After`, and a JSON-RPC error, which clients show. `RateLimit` and `RateLimit-Policy` are those of
 * draft-ietf-httpapi-ratelimit-headers-10.
 */
export async function atPace(
  c: Context<HttpEnv>,
  { pace, onRefused }: PaceOptions,
  message: object,
  answer: () => Promise<Response>,
): Promise<Response> {
  const { id: principalId, limits } = c.get('principal');
  const { method, id } = message as Readonly<{ method?: unknown; id?: unknown }>;
  if (limits.callsPerMinute === undefined || method !== 'tools/call') return answer();
  const outcome = await pace.count(principalId, limits.callsPerMinute);
  if (outcome.waitSeconds === undefined) return withHeaders(await answer(), headersOf(outcome));
  onRefused(c.get('requestId'));
  return refusal(c, outcome.limit, outcome.waitSeconds, id, headersOf(outcome));
}

function headersOf({ limit, remaining, resetSeconds, waitSeconds }: PaceOutcome): Record<string, string> {
  return {
    'RateLimit-Policy': `"calls";q=${limit};w=60`,
    RateLimit: `"calls";r=${remaining};t=${resetSeconds}`,
    ...(waitSeconds !== undefined && { 'Retry-After': String(waitSeconds) }),
  };
}

function refusal(c: Context<HttpEnv>, limit: number, waitSeconds: number, id: unknown, headers: Record<string, string>): Response {
  const answered = typeof id === 'string' || typeof id === 'number' ? id : null;
  return c.json({ jsonrpc: '2.0', id: answered, error: tooManyCalls(limit, waitSeconds, c.get('requestId')) }, 429, headers);
}

function withHeaders(response: Response, headers: Record<string, string>): Response {
  // The headers of a response that another Worker has returned cannot be changed.
  const changed = new Response(response.body, response);
  for (const [name, value] of Object.entries(headers)) changed.headers.set(name, value);
  return changed;
}
