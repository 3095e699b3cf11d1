import type { Clock } from '../ports.ts';
import { DAY_MS, dateOf } from '../utc-day.ts';
import { type Account, EMPTY_ACCOUNT, type HeldJob, jobsOf, leftUsd, settled, withCheck, withHold } from './account.ts';
import { type NewHold, newHold, type OutcomeOf } from './accounts.ts';
import { createPace } from './pace.ts';
import { addRow, type UsageRow } from './rows.ts';
import { rowsOf, type UsageDay } from './usage-book.ts';

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
  | { addUsage: { date: string; rows: readonly UsageRow[] } }
  | { usage: { dates: readonly string[]; principalId?: string | undefined } }
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
  const accounts = new Map<string, Account>();
  /** Of the days to which something was added lately. */
  const used = new Map<string, Map<string, UsageRow>>();
  const pace = createPace(clock);
  /** `undefined` until it is known whether the object has set one before it was lost. */
  let alarmMs: number | undefined;

  async function loadAlarm(): Promise<void> {
    const setMs = alarmMs ?? (await storage.getAlarm()) ?? Number.POSITIVE_INFINITY;
    alarmMs ??= setMs;
  }

  /** Then, what is read and put without waiting in between is put before anything else is read. */
  async function load(date: string): Promise<void> {
    await loadAlarm();
    const stored = accounts.has(date) ? undefined : await storage.get(ACCOUNT + date);
    if (!accounts.has(date)) accounts.set(date, (stored ?? EMPTY_ACCOUNT) as Account);
  }

  const accountOf = (date: string) => accounts.get(date) ?? EMPTY_ACCOUNT;

  function put(date: string, account: Account): void {
    accounts.set(date, account);
    void storage.put(ACCOUNT + date, account);
  }

  function ringAt(ms: number): void {
    if (alarmMs !== undefined && ms >= alarmMs && alarmMs > now()) return;
    alarmMs = ms;
    void storage.setAlarm(ms);
  }

  async function hold({ date, id, ...wanted }: NewHold & { date: string; id: string }) {
    await load(date);
    const held = withHold(accountOf(date), wanted.limitUsd, id, newHold(wanted, now()));
    if (!held) return { leftUsd: leftUsd(accountOf(date), wanted.limitUsd) };
    put(date, held);
    ringAt(wanted.job ? (held.holds[id]?.job?.checkMs ?? now()) : now() + DAY_MS);
    return {};
  }

  async function change(date: string, apply: (account: Account) => Account): Promise<void> {
    await load(date);
    put(date, apply(accountOf(date)));
  }

  async function readAccount(date: string): Promise<Account> {
    await load(date);
    return accountOf(date);
  }

  /** Each row is stored by itself, since a call changes only one. */
  async function addUsage({ date, rows: added }: { date: string; rows: readonly UsageRow[] }): Promise<void> {
    await loadAlarm();
    const stored = used.has(date) ? undefined : await readRows(date);
    const rows = used.get(date) ?? stored ?? new Map<string, UsageRow>();
    used.set(date, rows);
    for (const row of added) {
      const changed = addRow(rows, row);
      void storage.put(`${USAGE}${date} ${changed.key}`, changed.row);
    }
    ringAt(now() + DAY_MS);
  }

  async function readRows(date: string): Promise<Map<string, UsageRow>> {
    const prefix = `${USAGE}${date} `;
    const stored = [...(await storage.list({ prefix }))] as [string, UsageRow][];
    return new Map(stored.map(([key, row]) => [key.slice(prefix.length), row]));
  }

  /** Remembers nothing: a month of a large team would take memory for good. */
  async function readUsage(dates: readonly string[], principalId: string | undefined): Promise<UsageDay[]> {
    const days: UsageDay[] = [];
    for (const date of dates) {
      const rows = used.get(date) ?? (await readRows(date));
      days.push({ date, rows: rowsOf([...rows.values()], principalId) });
    }
    return days;
  }

  async function answer(request: AccountRequest): Promise<unknown> {
    if ('hold' in request) return hold(request.hold);
    if ('settle' in request) {
      const { date, id, usd } = request.settle;
      return change(date, (account) => settled(account, id, usd));
    }
    if ('account' in request) return readAccount(request.account.date);
    if ('addUsage' in request) return addUsage(request.addUsage);
    if ('usage' in request) return readUsage(request.usage.dates, request.usage.principalId);
    if ('count' in request) return pace.count(SELF, request.count.limit);
    if ('enter' in request) return pace.enter(SELF, request.enter.callId, request.enter.limit);
    return pace.leave(SELF, request.leave.callId);
  }

  /** Resolves to the keys that are left. */
  async function forgetOld(prefix: string, days: number): Promise<string[]> {
    const first = prefix + dateOf(now() - days * DAY_MS);
    const keys = [...(await storage.list({ prefix })).keys()];
    const old = keys.filter((key) => key < first);
    for (const key of old) await storage.delete(key);
    return keys.filter((key) => key >= first);
  }

  async function alarm(): Promise<void> {
    alarmMs = Number.POSITIVE_INFINITY;
    const usage = await forgetOld(USAGE, USAGE_DAYS);
    for (const date of used.keys()) if (date < dateOf(now() - DAY_MS)) used.delete(date);
    const dates = (await forgetOld(ACCOUNT, ACCOUNT_DAYS)).map((key) => key.slice(ACCOUNT.length));
    for (const date of accounts.keys()) if (!dates.includes(date)) accounts.delete(date);
    for (const date of dates) for (const job of jobsOf(await readAccount(date))) await check(date, job);
    if (alarmMs === Number.POSITIVE_INFINITY && usage.length + dates.length > 0) ringAt(now() + DAY_MS);
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
