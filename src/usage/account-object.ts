import type { Clock } from '../ports.ts';
import { type Account, EMPTY_ACCOUNT, type HeldJob, jobsOf, leftUsd, settled, withCheck, withHold } from './account.ts';
import { type NewHold, newHold, type OutcomeOf } from './accounts.ts';
import { createPace } from './pace.ts';
import { type UsageRow, withRows } from './rows.ts';

/** The subset of a Durable Object's storage used here. */
export type AccountStorage = Readonly<{
  get: (key: string) => Promise<unknown>;
  put: (key: string, value: unknown) => Promise<void>;
  list: (options: { prefix: string }) => Promise<ReadonlyMap<string, unknown>>;
  delete: (key: string) => Promise<unknown>;
  getAlarm: () => Promise<number | null>;
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
/** When the record cannot be read. */
const RETRY_MS = 60_000;
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
  /** `undefined` until it is known whether the object has set one before it was lost. */
  let alarmMs: number | undefined;

  /** Then, what is read and put without waiting in between is put before anything else is read. */
  async function load(key: string): Promise<void> {
    const setMs = alarmMs ?? (await storage.getAlarm()) ?? Number.POSITIVE_INFINITY;
    alarmMs ??= setMs;
    const stored = cached.has(key) ? undefined : await storage.get(key);
    if (!cached.has(key) && stored !== undefined) cached.set(key, stored);
  }

  const accountAt = (key: string) => (cached.get(key) ?? EMPTY_ACCOUNT) as Account;
  const rowsAt = (key: string) => (cached.get(key) ?? []) as readonly UsageRow[];

  function put(key: string, value: unknown): void {
    cached.set(key, value);
    void storage.put(key, value);
  }

  function ringAt(ms: number): void {
    if (alarmMs !== undefined && ms >= alarmMs && alarmMs > now()) return;
    alarmMs = ms;
    void storage.setAlarm(ms);
  }

  async function hold({ date, id, ...wanted }: NewHold & { date: string; id: string }) {
    const key = ACCOUNT + date;
    await load(key);
    const account = accountAt(key);
    const held = withHold(account, wanted.limitUsd, id, newHold(wanted, now()));
    if (!held) return { leftUsd: leftUsd(account, wanted.limitUsd) };
    put(key, held);
    ringAt(wanted.job ? (held.holds[id]?.job?.checkMs ?? now()) : now() + DAY_MS);
    return {};
  }

  async function change(date: string, apply: (account: Account) => Account): Promise<void> {
    const key = ACCOUNT + date;
    await load(key);
    put(key, apply(accountAt(key)));
  }

  async function addUsage({ date, row }: { date: string; row: UsageRow }): Promise<void> {
    const key = USAGE + date;
    await load(key);
    put(key, withRows(rowsAt(key), [row]));
    ringAt(now() + DAY_MS);
  }

  async function readAccount(key: string): Promise<Account> {
    await load(key);
    return accountAt(key);
  }

  async function readUsage(key: string): Promise<readonly UsageRow[]> {
    await load(key);
    return rowsAt(key);
  }

  async function answer(request: AccountRequest): Promise<unknown> {
    if ('hold' in request) return hold(request.hold);
    if ('settle' in request) {
      const { date, id, usd } = request.settle;
      return change(date, (account) => settled(account, id, usd));
    }
    if ('account' in request) return readAccount(ACCOUNT + request.account.date);
    if ('addUsage' in request) return addUsage(request.addUsage);
    if ('usage' in request) return readUsage(USAGE + request.usage.date);
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
    for (const key of accounts) for (const job of jobsOf(await readAccount(key))) await check(key.slice(ACCOUNT.length), job);
    if (alarmMs === Number.POSITIVE_INFINITY && used.length + accounts.length > 0) ringAt(now() + DAY_MS);
  }

  async function check(date: string, { id, place, usd, checkMs }: HeldJob): Promise<void> {
    if (checkMs > now()) return ringAt(checkMs);
    const outcome = await outcomeOf(place, id).catch(() => ({ state: 'running' as const, untilMs: now() + RETRY_MS }));
    if (outcome.state === 'ended') return change(date, (account) => settled(account, id, outcome.usd ?? usd));
    const nextMs = outcome.untilMs + MARGIN_MS;
    await change(date, (account) => withCheck(account, id, nextMs));
    ringAt(nextMs);
  }

  return {
    fetch: async (request) => Response.json((await answer((await request.json()) as AccountRequest)) ?? {}),
    alarm,
  };
}
