import type { SealedStore } from '../jobs/sealed-store.ts';
import type { Clock, Runtime } from '../ports.ts';
import { type Accounts, createMemoryAccounts, type OutcomeOf } from './accounts.ts';
import { createPace, type Pace } from './pace.ts';
import { createStoredAccounts } from './stored-accounts.ts';
import { createMemoryBook, createStoredBook, type UsageBook } from './usage-book.ts';

/** What is known of all principals: what they may still spend, what they have used, and what they have running. */
export type Ledger = Readonly<{ accounts: Accounts; book: UsageBook; pace: Pace }>;

export type LedgerRuntime = Clock & Pick<Runtime, 'random' | 'randomUUID' | 'waitUntil'> & Readonly<{ log: Pick<Runtime['log'], 'warn'> }>;

/** Of a process: in the object store, which it may share with others; without one, in memory. The pace is always in memory. */
export function createLedger(sealed: SealedStore | undefined, outcomeOf: OutcomeOf, runtime: LedgerRuntime): Ledger {
  const pace = createPace(runtime);
  if (!sealed) return { accounts: createMemoryAccounts(runtime.randomUUID), book: createMemoryBook(), pace };
  return { accounts: createStoredAccounts({ sealed, outcomeOf, runtime }), book: createStoredBook(sealed, runtime), pace };
}
