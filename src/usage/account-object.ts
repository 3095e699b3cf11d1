import type { Clock } from '../ports.ts';
import { type Account, EMPTY_ACCOUNT, jobsOf, leftUsd, settled, withCheck, withHold } from './account.ts';
import { type NewHold, newHold, type OutcomeOf } from './accounts.ts';
import { createPace } from './pace.ts';
import { type UsageRow, withRows } from './rows.ts';

/** The subset of a Durable Object's storage used here. */
export type AccountStorage = Readonly<{
  get: (key: string) => Promise<unknown>;
  put: (key: string, value: unknown) => Promise<void>;
  list: (options: { prefix: string }) => Promise<ReadonlyMap<string, unknown>>;
  delete: (key: string) => Promise<unknown>;
  setAlarm: (scheduledMs: number) => Promise<void>;
}>;

/** What the object of a principal, or of the gateway, is asked. */
export type AccountRequest = Readonly<
  | { hold: NewHold & { date: string; id: string } }
  | { settle: { date: string; id: string; usd: number } }
  | { account: { date: string } }
  | { addUsage: { date: string; row: UsageRow } }
  | { usage: { date: string } }
  | { count: { limit: number } }
  | { enter: { callId: string; limit: number } }
  | { leave: { callId: string } }
>;

export type AccountObject = Readonly<{
  fetch: (request: Request) => Promise<Response>;
  /** Settles the jobs that have lost their process, and forgets what is old. */
  alarm: () => Promise<void>;
}>;

const ACCOUNT = 'account ';
const USAGE = 'usage ';
const DAY_MS = 86_400_000;
const ACCOUNT_DAYS = 2;
const USAGE_DAYS = 40;
/** After a lease, for a clock that is behind. */
const MARGIN_MS = 5_000;
/** What is asked of this object is about its one principal. */
const SELF = 'self';

/**
 * The one place on Workers that knows what a principal (or the gateway as a whole) has spent and set aside, used, and has
 * running. The platform sends no answer before what was put is stored.
 */
export function createAccountObject(storage: AccountStorage, outcomeOf: OutcomeOf, clock: Pick<Clock, 'now'>): AccountObject {
  const { now } = clock;
  const cached = new Map<string, unknown>();
  const pace = createPace(clock);
  let alarmMs = Number.POSITIVE_INFINITY;

  /** What changes a value must do so in the same turn in which it got it. */
  async function get<Value>(key: string, empty: Value): Promise<Value> {
    const stored = cached.has(key) ? undefined : await storage.get(key);
    if (!cached.has(key)) cached.set(key, stored ?? empty);
    return cached.get(key) as Value;
  }

  function put(key: string, value: unknown): void {
    cached.set(key, value);
    void storage.put(key, value);
  }

  function ringAt(ms: number): void {
    if (ms >= alarmMs && alarmMs > now()) return;
    alarmMs = ms;
    void storage.setAlarm(ms);
  }

  async function hold({ date, id, ...wanted }: NewHold & { date: string; id: string }) {
    const key = ACCOUNT + date;
    const account = await get<Account>(key, EMPTY_ACCOUNT);
    const held = withHold(account, wanted.limitUsd, id, newHold(wanted, now()));
    if (!held) return { leftUsd: leftUsd(account, wanted.limitUsd) };
    put(key, held);
    ringAt(wanted.job ? (held.holds[id]?.job?.checkMs ?? now()) : now() + DAY_MS);
    return {};
  }

  async function change(date: string, apply: (account: Account) => Account): Promise<void> {
    const key = ACCOUNT + date;
    put(key, apply(await get<Account>(key, EMPTY_ACCOUNT)));
  }

  async function addUsage({ date, row }: { date: string; row: UsageRow }): Promise<void> {
    const key = USAGE + date;
    put(key, withRows(await get<readonly UsageRow[]>(key, []), [row]));
    ringAt(now() + DAY_MS);
  }

  async function answer(request: AccountRequest): Promise<unknown> {
    if ('hold' in request) return hold(request.hold);
    if ('settle' in request) {
      const { date, id, usd } = request.settle;
      return change(date, (account) => settled(account, id, usd));
    }
    if ('account' in request) return get(ACCOUNT + request.account.date, EMPTY_ACCOUNT);
    if ('addUsage' in request) return addUsage(request.addUsage);
    if ('usage' in request) return get(USAGE + request.usage.date, []);
    if ('count' in request) return pace.count(SELF, request.count.limit);
    if ('enter' in request) return pace.enter(SELF, request.enter.callId, request.enter.limit);
    return pace.leave(SELF, request.leave.callId);
  }

  async function forgetOld(prefix: string, days: number): Promise<string[]> {
    const firstDate = new Date(now() - days * DAY_MS).toISOString().slice(0, 10);
    const keys = [...(await storage.list({ prefix })).keys()];
    const old = keys.filter((key) => key.slice(prefix.length) < firstDate);
    for (const key of old) {
      cached.delete(key);
      await storage.delete(key);
    }
    return keys.filter((key) => !old.includes(key));
  }

  async function alarm(): Promise<void> {
    alarmMs = Number.POSITIVE_INFINITY;
    const used = await forgetOld(USAGE, USAGE_DAYS);
    const accounts = await forgetOld(ACCOUNT, ACCOUNT_DAYS);
    for (const key of accounts) {
      const date = key.slice(ACCOUNT.length);
      for (const { id, place, usd, checkMs } of jobsOf(await get<Account>(key, EMPTY_ACCOUNT))) {
        if (checkMs > now()) {
          ringAt(checkMs);
          continue;
        }
        const outcome = await outcomeOf(place, id).catch(() => ({ state: 'running' as const, untilMs: now() + DAY_MS / 24 }));
        const nextMs = outcome.state === 'running' ? outcome.untilMs + MARGIN_MS : 0;
        await change(date, (account) => (nextMs > 0 ? withCheck(account, id, nextMs) : settled(account, id, 'usd' in outcome ? (outcome.usd ?? usd) : usd)));
        if (nextMs > 0) ringAt(nextMs);
      }
    }
    if (alarmMs === Number.POSITIVE_INFINITY && used.length + accounts.length > 0) ringAt(now() + DAY_MS);
  }

  return {
    fetch: async (request) => Response.json((await answer((await request.json()) as AccountRequest)) ?? {}),
    alarm,
  };
}
