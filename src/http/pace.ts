import type { Context } from 'hono';
import type { Pace } from '../usage/pace.ts';
import type { HttpEnv } from './errors.ts';

type Message = Readonly<{ method?: unknown; id?: unknown }>;

/**
 * Counts a tool call of a principal with a limit, and refuses one too many: 429 (RFC 6585 section 4) with `Retry-After`,
 * and a JSON-RPC error, which clients show. `RateLimit` and `RateLimit-Policy` are those of
 * draft-ietf-httpapi-ratelimit-headers-10.
 */
export async function refuseTooFast(c: Context<HttpEnv>, pace: Pace, message: object): Promise<Response | undefined> {
  const { id: principalId, limits } = c.get('principal');
  const { method, id = null } = message as Message;
  if (limits.callsPerMinute === undefined || method !== 'tools/call') return undefined;
  const { limit, remaining, resetSeconds, waitSeconds } = await pace.count(principalId, limits.callsPerMinute);
  c.header('RateLimit-Policy', `"calls";q=${limit};w=60`);
  c.header('RateLimit', `"calls";r=${remaining};t=${resetSeconds}`);
  if (waitSeconds === undefined) return undefined;
  c.header('Retry-After', String(waitSeconds));
  const sentence = `You may make ${limit} tool calls a minute, and have made them. Nothing was sent or billed; retry in ${waitSeconds} s.`;
  const data = { request_id: c.get('requestId'), retry_after_seconds: waitSeconds };
  const isId = typeof id === 'string' || typeof id === 'number';
  return c.json({ jsonrpc: '2.0', id: isId ? id : null, error: { code: RATE_LIMITED, message: sentence, data } }, 429);
}

/** Of the range that JSON-RPC leaves to implementations (section 5.1), and that MCP does not use. */
const RATE_LIMITED = -32029;
