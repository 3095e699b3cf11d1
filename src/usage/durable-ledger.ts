import { GatewayError } from '../errors.ts';
import type { Clock, Runtime } from '../ports.ts';
import type { Account } from './account.ts';
import type { AccountRequest } from './account-object.ts';
import { type Accounts, GATEWAY, type HoldResult, ownerOf } from './accounts.ts';
import type { Ledger } from './ledger.ts';
import type { Pace, PaceOutcome } from './pace.ts';
import type { UsageRow } from './rows.ts';
import { addTo, type UsageBook, type UsageDay } from './usage-book.ts';

/** The subset of a Durable Object namespace used here. */
export type AccountNamespace = Readonly<{
  idFromName: (name: string) => unknown;
  get: (id: unknown) => { fetch: typeof fetch };
}>;

type DurableRuntime = Clock & Pick<Runtime, 'randomUUID' | 'waitUntil'> & Readonly<{ log: Pick<Runtime['log'], 'warn'> }>;

/** For so long, what was used is added up before it is sent: one object is told by everybody. */
const COLLECT_MS = 1_000;
/** Whoever was to send it has been lost with its request. */
const LOST_AFTER_MS = 5_000;

/** The ledger in Durable Objects: one for each principal, and one for the gateway. */
export function createDurableLedger(namespace: AccountNamespace, runtime: DurableRuntime): Ledger {
  const { randomUUID, waitUntil, log } = runtime;
  const used = new Map<string, Map<string, UsageRow>>();
  let collectingSinceMs: number | undefined;

  async function ask<Answer>(owner: string, request: AccountRequest): Promise<Answer> {
    const object = namespace.get(namespace.idFromName(owner));
    const response = await object.fetch('http://account/', { method: 'POST', body: JSON.stringify(request) });
    return (await response.json()) as Answer;
  }

  /** For what the answer to a client does not depend on. */
  function tell(owner: string, request: AccountRequest): void {
    waitUntil(told(owner, request));
  }

  async function told(owner: string, request: AccountRequest): Promise<void> {
    await ask(owner, request).catch((error: unknown) => log.warn('account_object_failed', { error: String(error) }));
  }

  async function sendUsed(): Promise<void> {
    const days = [...used];
    used.clear();
    collectingSinceMs = undefined;
    for (const [date, rows] of days) await told(GATEWAY, { addUsage: { date, rows: [...rows.values()] } });
  }

  function addUsed(date: string, row: UsageRow): void {
    addTo(used, date, row);
    const nowMs = runtime.now();
    if (collectingSinceMs !== undefined && nowMs < collectingSinceMs + LOST_AFTER_MS) return;
    collectingSinceMs = nowMs;
    waitUntil(runtime.sleep(COLLECT_MS).then(sendUsed));
  }

  const accounts: Accounts = {
    async hold({ owner, date }, hold) {
      const id = hold.job?.id ?? randomUUID();
      const result = await ask<{ leftUsd?: number }>(owner, { hold: { ...hold, date, id } }).catch(unusable);
      if (result.leftUsd !== undefined) return { leftUsd: result.leftUsd };
      return { settle: (usd) => tell(owner, { settle: { date, id, usd } }) } satisfies HoldResult;
    },
    read: ({ owner, date }) => ask<Account>(owner, { account: { date } }),
    inFlight: () => 0,
    close: async () => {},
  };
  const book: UsageBook = {
    add: addUsed,
    async read(dates, principalId) {
      await sendUsed();
      return ask<UsageDay[]>(GATEWAY, { usage: { dates, principalId } });
    },
    inFlight: () => 0,
    close: sendUsed,
  };
  const pace: Pace = {
    count: (principalId, limit) => ask<PaceOutcome>(ownerOf(principalId), { count: { limit } }),
    enter: (principalId, callId, limit) => ask<boolean>(ownerOf(principalId), { enter: { callId, limit } }),
    leave: (principalId, callId) => tell(ownerOf(principalId), { leave: { callId } }),
  };
  return { accounts, book, pace };
}

/** Without an answer, nothing is sent. */
function unusable(cause: unknown): never {
  throw new GatewayError({ kind: 'storage', problem: 'The budget could not be read', retryable: true }, { cause });
}
