import { every } from '../every.ts';
import type { JobOutcome } from '../jobs/jobs.ts';
import type { SealedStore } from '../jobs/sealed-store.ts';
import type { Clock, Runtime } from '../ports.ts';
import { type Account, accountSchema, EMPTY_ACCOUNT, type HeldJob, jobsOf, leftUsd, settled, withCheck, withHold } from './account.ts';
import { type AccountId, type Accounts, type HoldResult, type NewHold, newHold, type OutcomeOf } from './accounts.ts';
import { createPortion, type Portion } from './portion.ts';
import { createSharedRecord, type SharedRecord } from './shared-record.ts';

export type StoredAccountsOptions = Readonly<{
  sealed: SealedStore;
  /** What the records say of jobs whose process may have died. */
  outcomeOf: OutcomeOf;
  runtime: Clock & Pick<Runtime, 'random' | 'randomUUID'> & Readonly<{ log: Pick<Runtime['log'], 'warn'> }>;
}>;

/** An account of which this process may have a part. */
type Shared = Readonly<{
  date: string;
  record: SharedRecord<Account>;
  portion: Portion;
  ownJobs: Set<string>;
}>;

const TEND_MS = 10_000;
/** After the end of a lease, for a clock that is behind. */
const MARGIN_MS = 5_000;
const SETTLED_AT_ONCE = 20;

/**
 * Accounts in the object store, which any number of processes share by compare-and-swap. Calls without a record draw on
 * a portion of their process. Each job is set aside under its own name: if its process dies, its record says what
 * became of it.
 */
export function createStoredAccounts({ sealed, outcomeOf, runtime }: StoredAccountsOptions): Accounts {
  const { now, log } = runtime;
  const processId = `process-${runtime.randomUUID()}`;
  const shared = new Map<string, Shared>();
  /** Those in which something is set aside. */
  const inUse = new Set<Shared>();
  let isTending = false;
  let isTendingAll = false;
  let settling = 0;

  async function find(id: AccountId): Promise<Shared> {
    const places = await sealed.placesOf('account', id.owner, id.date);
    const [place = ''] = places;
    const found = shared.get(place);
    if (found) return found;
    for (const [known, account] of shared) if (account.date < id.date && !inUse.has(account)) shared.delete(known);
    const record = createSharedRecord({ sealed, places, schema: accountSchema, empty: EMPTY_ACCOUNT, runtime });
    const created = { date: id.date, record, portion: createPortion(record, processId), ownJobs: new Set<string>() };
    shared.set(place, created);
    return created;
  }

  async function holdJob({ record, ownJobs }: Shared, hold: NewHold, jobId: string): Promise<HoldResult> {
    let refused: { leftUsd: number } | undefined;
    ownJobs.add(jobId);
    try {
      await record.change((account) => {
        const held = withHold(account, hold.limitUsd, jobId, newHold(hold, now()));
        refused = held ? undefined : { leftUsd: leftUsd(account, hold.limitUsd) };
        return { value: held ?? account, isShort: !held };
      });
    } catch (error) {
      ownJobs.delete(jobId);
      throw error;
    }
    if (refused) ownJobs.delete(jobId);
    return refused ?? { settle: (usd) => settleJob({ record, ownJobs }, jobId, usd) };
  }

  /** What cannot be written is settled by the record of the job, and counts as spent until then. */
  function settleJob({ record, ownJobs }: Pick<Shared, 'record' | 'ownJobs'>, jobId: string, usd: number): void {
    settling++;
    record
      .change((account) => ({ value: settled(account, jobId, usd) }))
      .catch((error: unknown) => log.warn('budget_not_settled', { job_id: jobId, error: String(error) }))
      .finally(() => {
        settling--;
        ownJobs.delete(jobId);
      });
  }

  /** Looks after an account for as long as something is set aside in it. */
  function tendSoon(account: Shared): void {
    inUse.add(account);
    if (isTending) return;
    isTending = true;
    let sinceMs = now();
    const options = { ms: TEND_MS, sinceMs: () => sinceMs, signal: new AbortController().signal, isNeeded: () => inUse.size > 0 };
    void every(runtime, options, () => {
      sinceMs = now();
      void tendAll();
    }).finally(() => {
      isTending = false;
    });
  }

  async function tendAll(isLast = false): Promise<void> {
    if (isTendingAll && !isLast) return;
    isTendingAll = true;
    for (const account of inUse) {
      try {
        const isSettled = await tend(account, isLast);
        if (isSettled && account.portion.isEmpty() && account.ownJobs.size === 0) inUse.delete(account);
      } catch (error) {
        log.warn('budget_not_written', { error: String(error) });
      }
    }
    isTendingAll = false;
  }

  /** Resolves to whether no job is left that might have to be settled by its record. */
  async function tend({ record, portion, ownJobs }: Shared, isLast: boolean): Promise<boolean> {
    await portion.tend(isLast);
    const jobs = jobsOf(await record.read()).filter(({ id }) => !ownJobs.has(id));
    const due = jobs.filter(({ checkMs }) => checkMs <= now());
    for (let at = 0; at < due.length; at += SETTLED_AT_ONCE) await settleByRecords(record, due.slice(at, at + SETTLED_AT_ONCE));
    return jobs.length === 0;
  }

  /** Throws what it cannot read, when it has settled the others. */
  async function settleByRecords(record: SharedRecord<Account>, jobs: readonly HeldJob[]): Promise<void> {
    const read = await Promise.allSettled(jobs.map(async (job) => ({ job, outcome: await outcomeOf(job.place, job.id) })));
    const known = read.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    await record.change((account) => ({ value: known.reduce(withOutcome, account) }));
    for (const result of read) if (result.status === 'rejected') throw result.reason;
  }

  return {
    async hold(id, hold) {
      const account = await find(id);
      tendSoon(account);
      return hold.job ? holdJob(account, hold, hold.job.id) : account.portion.hold(hold.usd, hold.limitUsd);
    },
    read: async (id) => (await find(id)).record.read(),
    inFlight: () => settling,
    close: () => tendAll(true),
  };
}

function withOutcome(account: Account, { job: { id, usd }, outcome }: { job: HeldJob; outcome: JobOutcome }): Account {
  if (outcome.state === 'ended') return settled(account, id, outcome.usd ?? usd);
  return withCheck(account, id, outcome.untilMs + MARGIN_MS);
}
