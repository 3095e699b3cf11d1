import type { Principal } from '../auth/principal.ts';
import { GatewayError } from '../errors.ts';
import type { Clock } from '../ports.ts';

/** How a call stands with its principal's calls per minute; `waitSeconds`: it is one too many until then. */
export type PaceOutcome = Readonly<{ limit: number; remaining: number; resetSeconds: number; waitSeconds?: number }>;

/** How fast, and how many at once, the calls of principals may come. */
export type Pace = Readonly<{
  /** Counts a tool call, unless `limit` calls have been counted in the last 60 s. */
  count: (principalId: string, limit: number) => Promise<PaceOutcome>;
  /** Begins a call, unless `limit` are running; resolves to whether it did. Each that did must leave. */
  enter: (principalId: string, callId: string, limit: number) => Promise<boolean>;
  leave: (principalId: string, callId: string) => void;
}>;

/** Of the range that JSON-RPC leaves to implementations (section 5.1), and that MCP does not use. */
const RATE_LIMITED = -32029;
const WINDOW_MS = 60_000;
/** Longer than any call lasts: on Workers, one may end without leaving. */
const MAX_CALL_MS = 15 * 60_000;
const MAX_IDLE_PRINCIPALS = 1_000;

type Calls = { startsMs: number[]; running: Map<string, number> };

/** Does the work of a call while no more of its principal's run than may. Throws `too_many_calls`. */
export async function whilePaced<Result>(
  pace: Pace,
  { id, limits }: Principal,
  callId: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const { concurrentCalls: limit } = limits;
  if (limit === undefined) return work();
  if (!(await pace.enter(id, callId, limit))) throw new GatewayError({ kind: 'too_many_calls', limit });
  return work().finally(() => pace.leave(id, callId));
}

/** The JSON-RPC error of a call too many in a minute. */
export function tooManyCalls(limit: number, waitSeconds: number, requestId: string) {
  const message = `You may make ${limit} tool calls a minute, and have made them. Nothing was sent or billed; retry in ${waitSeconds} s.`;
  return { code: RATE_LIMITED, message, data: { request_id: requestId, retry_after_seconds: waitSeconds } };
}

/** In the memory of one process, or of one Durable Object. */
export function createPace({ now }: Pick<Clock, 'now'>): Pace {
  const principals = new Map<string, Calls>();

  function callsOf(principalId: string): Calls {
    const calls = principals.get(principalId) ?? { startsMs: [], running: new Map<string, number>() };
    if (principals.size > MAX_IDLE_PRINCIPALS) forgetIdle();
    principals.set(principalId, calls);
    return calls;
  }

  function forgetIdle(): void {
    for (const [id, { startsMs, running }] of principals)
      if (running.size === 0 && now() - (startsMs.at(-1) ?? 0) > WINDOW_MS) principals.delete(id);
  }

  return {
    async count(principalId, limit) {
      const { startsMs } = callsOf(principalId);
      const nowMs = now();
      // A clock that was set back must not block anyone for long.
      const isOver = (ms: number) => nowMs - ms >= WINDOW_MS || ms > nowMs;
      while (startsMs[0] !== undefined && isOver(startsMs[0])) startsMs.shift();
      const isAllowed = startsMs.length < limit;
      if (isAllowed) startsMs.push(nowMs);
      const resetSeconds = Math.ceil(((startsMs[0] ?? nowMs) + WINDOW_MS - nowMs) / 1000);
      const outcome = { limit, remaining: Math.max(0, limit - startsMs.length), resetSeconds };
      // The limit may have been lowered: then, more than one call must become old first.
      const lastInWay = startsMs[startsMs.length - limit] ?? nowMs;
      return isAllowed ? outcome : { ...outcome, waitSeconds: Math.max(1, Math.ceil((lastInWay + WINDOW_MS - nowMs) / 1000)) };
    },
    async enter(principalId, callId, limit) {
      const { running } = callsOf(principalId);
      for (const [id, startMs] of running) if (now() - startMs > MAX_CALL_MS) running.delete(id);
      if (running.size >= limit) return false;
      running.set(callId, now());
      return true;
    },
    leave(principalId, callId) {
      principals.get(principalId)?.running.delete(callId);
    },
  };
}
