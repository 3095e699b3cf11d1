import { costOf, type JobEntry } from '../../src/jobs/record.ts';
import { jobsOf } from '../../src/usage/account.ts';
import { GATEWAY, ownerOf } from '../../src/usage/accounts.ts';
import type { Bill } from '../stand-ins/openai/bills.ts';
import { principalOf } from './budget-calls.ts';
import type { Records } from './budget-records.ts';
import type { RuntimeName } from './gateways.ts';

export const CHAT_MODEL = 'gpt-6-sol';
/** Of 1,000 calls, in US dollars. Two run out, one is large, and one principal has only that of the gateway, which runs out, too. */
export const LIMITS = { alice: 0.3, bob: 0.45, carol: 5, [GATEWAY]: 1.6 };
export const PRINCIPALS = ['alice', 'bob', 'carol', 'dave'];
/** Sums of binary fractions differ by less. */
const EXACT_USD = 1e-9;

export type BudgetOptions = Readonly<{
  runtime: RuntimeName;
  /** Of Node gateways; the Worker is one process. */
  replicas: number;
  calls: number;
  kills: number;
  seed: number;
}>;

/** One budget in US dollars: what the upstream billed, what the account says was spent, and what it still holds. */
export type BudgetRow = Readonly<{
  limit: number;
  billed: number;
  spent: number;
  held: number /** For which something is held. */;
  jobs: number;
}>;

/** The sums of all, in US dollars. `jobs`: the records; `interruptedUsd`: of these, what was counted at its estimate. */
export type Sums = Readonly<{ billed: number; billedJobs: number; jobs: number; interruptedUsd: number; listed: number; book: number }>;
const sumOf = (amounts: readonly { usd: number }[]) => amounts.reduce((sum, { usd }) => sum + usd, 0);

/** Where the records are, and the days of the run. */
export type Seen = Readonly<{ records: Records; dates: readonly string[] }>;

/** Whether no job is left to be settled; with the bills: and everything else is written, too. */
export async function isSettled({ records, dates }: Seen, bills: readonly Bill[] | undefined): Promise<boolean> {
  for (const date of dates) {
    for (const owner of [GATEWAY, ...PRINCIPALS.map(ownerOf)]) {
      const account = await records.ledger.accounts.read({ owner, date });
      if (jobsOf(account).length > 0 || (bills && Object.keys(account.holds).length > 0)) return false;
    }
  }
  if (!bills) return true;
  const { billed, book, billedJobs, listed } = await sumsOf({ records, dates }, bills);
  return isSame(book, billed) && isSame(listed, billedJobs);
}

const isSame = (a: number, b: number) => Math.abs(a - b) <= EXACT_USD;

async function bookUsd({ records, dates }: Seen): Promise<number> {
  const days = await records.ledger.book.read(dates);
  return days.flatMap(({ rows }) => rows).reduce((sum, { cost_usd }) => sum + cost_usd, 0);
}

export async function rowOf({ records, dates }: Seen, name: string, limit: number, bills: readonly Bill[]): Promise<BudgetRow> {
  const owner = name === GATEWAY ? GATEWAY : ownerOf(name);
  const accounts = await Promise.all(dates.map((date) => records.ledger.accounts.read({ owner, date })));
  const holds = accounts.flatMap((account) => Object.values(account.holds));
  return {
    limit: limit * dates.length,
    billed: sumOf(bills.filter(({ text }) => name === GATEWAY || principalOf(text) === name)),
    spent: accounts.reduce((sum, { spentUsd }) => sum + spentUsd, 0),
    held: sumOf(holds),
    jobs: holds.filter(({ job }) => job).length,
  };
}

export async function sumsOf(seen: Seen, bills: readonly Bill[]): Promise<Sums> {
  const jobs = await seen.records.jobs();
  const costs = jobs.map((job) => ({ usd: recordedUsd(job), isInterrupted: job.state === 'interrupted' || job.state === 'running' }));
  return {
    billed: sumOf(bills),
    book: await bookUsd(seen),
    billedJobs: sumOf(bills.filter(({ model }) => model !== CHAT_MODEL)),
    jobs: sumOf(costs),
    interruptedUsd: sumOf(costs.filter(({ isInterrupted }) => isInterrupted)),
    listed: (await seen.records.listed(PRINCIPALS, seen.dates)).reduce((sum, { cost_usd = 0 }) => sum + cost_usd, 0),
  };
}

export function problemsOf(
  budgets: Record<string, BudgetRow>,
  sums: Sums,
  { kills, runtime }: Pick<BudgetOptions, 'kills' | 'runtime'>,
): string[] {
  const isKilled = kills > 0;
  const wrong: string[] = [];
  const assert = (isRight: boolean, problem: string) => isRight || wrong.push(problem);
  for (const [name, { limit, billed, spent, held, jobs }] of Object.entries(budgets)) {
    assert(billed <= limit + EXACT_USD, `${name}: ${billed} were billed, and the budget is ${limit}`);
    assert(spent + held <= limit + EXACT_USD, `${name}: ${spent} are spent and ${held} held, and the budget is ${limit}`);
    assert(spent + held >= billed - EXACT_USD, `${name}: ${billed} were billed, and only ${spent} are spent and ${held} held`);
    assert(jobs === 0, `${name}: ${jobs} jobs are not settled`);
    assert(isKilled || (isSame(spent, billed) && held === 0), `${name}: ${billed} were billed, ${spent} are spent, and ${held} held`);
  }
  const { billed, billedJobs, jobs, interruptedUsd, listed, book } = sums;
  assert(
    jobs - interruptedUsd <= billedJobs + EXACT_USD,
    `the jobs have cost ${jobs - interruptedUsd}, and only ${billedJobs} were billed`,
  );
  if (isKilled) return wrong;
  assert(isSame(jobs, billedJobs), `the records of the jobs say ${jobs}, the bills ${billedJobs}`);
  // On Workers, each job adds to the list by itself, which gives up when too many do at once.
  assert(runtime === 'workerd' || isSame(listed, billedJobs), `the list of what was made says ${listed}, the bills ${billedJobs}`);
  assert(isSame(book, billed), `the book says ${book}, the bills ${billed}`);
  return wrong;
}

/** A job whose process was killed, and that nobody has asked for since, still says that it is running. */
function recordedUsd(job: JobEntry): number {
  return costOf(job) ?? (job.state === 'running' ? job.estimate_usd : undefined) ?? 0;
}

/** What was billed for media must be in the records of the jobs, with at least the amount of the bill; and what was interrupted, in the list. */
export async function missingOf({ records, dates }: Seen, bills: readonly Bill[]): Promise<string[]> {
  const jobs = await records.jobs();
  const listed = new Set((await records.listed(PRINCIPALS, dates)).map(({ id }) => id));
  const unlisted = jobs.filter(({ id, state }) => state === 'interrupted' && !listed.has(id));
  const recorded = new Map<string, number>();
  for (const job of jobs) recorded.set(job.prompt ?? '', (recorded.get(job.prompt ?? '') ?? 0) + recordedUsd(job));
  const billed = new Map<string, number>();
  for (const { model, text, usd } of bills) if (model !== CHAT_MODEL) billed.set(text, (billed.get(text) ?? 0) + usd);
  const unrecorded = [...billed].filter(([text, usd]) => usd > (recorded.get(text) ?? 0) + EXACT_USD);
  return [
    ...unrecorded.map(([text, usd]) => `${text.slice(0, 30)}: ${usd} were billed, and the records say ${recorded.get(text) ?? 'nothing'}`),
    ...unlisted.map(({ id, prompt }) => `${prompt?.slice(0, 30)}: ${id} was interrupted, and is not listed`),
  ];
}
