import type { JobOutcome } from '../jobs/jobs.ts';
import { type Account, EMPTY_ACCOUNT, type Hold, leftUsd, settled, withHold } from './account.ts';

/** Identifies an account: a principal, or the gateway; and a day in UTC, `yyyy-mm-dd`. */
export type AccountId = Readonly<{ owner: string; date: string }>;

/** Whose account it is when it is not a principal's. */
export const GATEWAY = 'gateway';

/** Whose account it is: never the gateway's. */
export function ownerOf(principalId: string): string {
  return `principal ${principalId}`;
}

/** The job that an amount is set aside for, which has a record; other calls have none. */
export type JobRef = Readonly<{ id: string; place: string }>;

export type NewHold = Readonly<{ usd: number; limitUsd: number; job?: JobRef | undefined }>;

/** Replaces what was set aside by what was spent. Never throws; what cannot be written yet is written later. */
export type Settle = (usd: number) => void;

/** `leftUsd`: nothing was set aside, as it is more than that. */
export type HoldResult = Readonly<{ settle: Settle } | { leftUsd: number }>;

export type OutcomeOf = (place: string, jobId: string) => Promise<JobOutcome>;

/** The accounts of all budgets, wherever they are kept. */
export type Accounts = Readonly<{
  /** Sets an amount aside. Throws a `storage` failure when it cannot be known whether there is enough. */
  hold: (account: AccountId, hold: NewHold) => Promise<HoldResult>;
  read: (account: AccountId) => Promise<Account>;
  /** What is being written. */
  inFlight: () => number;
  /** Writes what is known, and gives back what was not needed, before the process ends. */
  close: () => Promise<void>;
}>;

/** How long the record of a job is left alone after the job has begun. */
const FIRST_CHECK_MS = 60_000;
/** Calls that began before midnight are settled after it. */
const MAX_DAYS_IN_MEMORY = 2;

export function newHold({ usd, job }: NewHold, nowMs: number): Hold {
  return { usd, ...(job && { job: { place: job.place, checkMs: nowMs + FIRST_CHECK_MS } }) };
}

/** In memory: for a process without a store, whose end is the end of what it knows. */
export function createMemoryAccounts(randomUUID: () => string): Accounts {
  const days = new Map<string, Map<string, Account>>();

  function accountsOf(date: string): Map<string, Account> {
    const accounts = days.get(date) ?? new Map<string, Account>();
    days.set(date, accounts);
    for (const known of days.keys()) if (days.size > MAX_DAYS_IN_MEMORY) days.delete(known);
    return accounts;
  }

  return {
    async hold({ owner, date }, { usd, limitUsd }) {
      const accounts = accountsOf(date);
      const id = randomUUID();
      const account = accounts.get(owner) ?? EMPTY_ACCOUNT;
      const held = withHold(account, limitUsd, id, { usd });
      if (!held) return { leftUsd: leftUsd(account, limitUsd) };
      accounts.set(owner, held);
      return { settle: (spentUsd) => void accounts.set(owner, settled(accounts.get(owner) ?? EMPTY_ACCOUNT, id, spentUsd)) };
    },
    read: async ({ owner, date }) => accountsOf(date).get(owner) ?? EMPTY_ACCOUNT,
    inFlight: () => 0,
    close: async () => {},
  };
}
