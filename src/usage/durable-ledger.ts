import { GatewayError } from '../errors.ts';
import type { Runtime } from '../ports.ts';
import type { Account } from './account.ts';
import type { AccountRequest } from './account-object.ts';
import { type Accounts, GATEWAY, type HoldResult, ownerOf } from './accounts.ts';
import type { Ledger } from './ledger.ts';
import type { Pace, PaceOutcome } from './pace.ts';
import type { UsageBook, UsageDay } from './usage-book.ts';

/** The subset of a Durable Object namespace used here. */
export type AccountNamespace = Readonly<{
  idFromName: (name: string) => unknown;
  get: (id: unknown) => { fetch: typeof fetch };
}>;

type DurableRuntime = Pick<Runtime, 'randomUUID' | 'waitUntil'> & Readonly<{ log: Pick<Runtime['log'], 'warn'> }>;

/** The ledger in Durable Objects: one for each principal, and one for the gateway. */
export function createDurableLedger(namespace: AccountNamespace, { randomUUID, waitUntil, log }: DurableRuntime): Ledger {
  async function ask<Answer>(owner: string, request: AccountRequest): Promise<Answer> {
    const object = namespace.get(namespace.idFromName(owner));
    const response = await object.fetch('http://account/', { method: 'POST', body: JSON.stringify(request) });
    return (await response.json()) as Answer;
  }

  /** For what the answer to a client does not depend on. */
  function tell(owner: string, request: AccountRequest): void {
    const told = ask(owner, request).catch((error: unknown) => log.warn('account_object_failed', { error: String(error) }));
    waitUntil(told);
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
    add: (date, row) => tell(GATEWAY, { addUsage: { date, row } }),
    read: (dates, principalId) => ask<UsageDay[]>(GATEWAY, { usage: { dates, principalId } }),
    inFlight: () => 0,
    close: async () => {},
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
