/**
 * `npm run budget`: 1,000 clients at once over three Node gateways, and over the Worker, with budgets that run out; first
 * undisturbed, then with kills in between. Prints each budget beside the upstream's bills and the records. Ends with exit
 * code 1 unless no bill exceeds its budget and the records hold every bill: exactly when nothing was killed. `-- node`,
 * `-- workerd`, `-- --calls N`, `-- --kills N`, `-- --seed N`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { costOf } from '../../src/jobs/record.ts';
import { jobsOf } from '../../src/usage/account.ts';
import { GATEWAY, ownerOf } from '../../src/usage/accounts.ts';
import type { AccountNamespace } from '../../src/usage/durable-ledger.ts';
import { type RunningGateway, type RunningNodeGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { startAzurite } from '../stand-ins/azurite.ts';
import type { Bill } from '../stand-ins/openai/bills.ts';
import { randomOf } from '../stand-ins/openai/scene/random.ts';
import { startOpenAIStandIn } from '../stand-ins/openai/server.ts';
import { type Client, type Counts, callOnce, principalOf, runClient } from './budget-calls.ts';
import { openRecords, type Place, type Records, type Storage } from './budget-records.ts';
import { askedRuntimes, numberOption, type RuntimeName } from './gateways.ts';

export type BudgetOptions = Readonly<{
  runtime: RuntimeName;
  /** Of Node gateways; the Worker is one process. */
  replicas: number;
  calls: number;
  kills: number;
  seed: number;
}>;
export type Parts = Readonly<{ storage: Storage; openaiUrl: string }>;

/** One budget in US dollars: what the upstream billed, what the account says was spent, and what it still holds. */
export type BudgetRow = Readonly<{
  limit: number;
  billed: number;
  spent: number;
  held: number /** For which something is held. */;
  jobs: number;
}>;

/** The sums of all, in US dollars. `jobs`: the records; `interruptedUsd`: of these, what was counted at its estimate. */
type Sums = Readonly<{ billed: number; billedJobs: number; jobs: number; interruptedUsd: number; listed: number; book: number }>;
export type BudgetReport = Readonly<{ budgets: Record<string, BudgetRow>; sums: Sums; counts: Counts; settledMs: number; wrong: string[] }>;

/** Of 1,000 calls. Two run out, one is large, and one principal has only that of the gateway, which runs out, too. */
const LIMITS = { alice: 0.3, bob: 0.45, carol: 5 };
const GATEWAY_LIMIT = 1.6;
const PRINCIPALS = [...Object.keys(LIMITS), 'dave'];
const CHAT_MODEL = 'gpt-6-sol';
const MODEL_PRICES = JSON.stringify(Object.fromEntries([CHAT_MODEL, 'gpt-image-2', 'tts-1'].map((model) => [model, model])));
const MAX_UPSTREAM_MS = 4_000;
const BETWEEN_KILLS_MS = 2_500;
const EXACT_USD = 1e-9;
const POLL_MS = 500;
const SETTLED_WITHIN_MS = 240_000;

export async function runBudget(options: BudgetOptions, { storage, openaiUrl }: Parts): Promise<BudgetReport> {
  const { runtime, calls, kills, seed } = options;
  const random = randomOf(`${seed}`);
  const account = crypto.randomUUID();
  const place = { storage, secret: `state-secret-of-one-run-${crypto.randomUUID()}`, pathPrefix: crypto.randomUUID() };
  const limits = limitsFor(calls);
  const gateways = await startGateways(options, environmentOf(limits, place, account, openaiUrl));
  await delayUpstream(`${openaiUrl}/_control/${account}/faults`, calls * 2, random);
  const counts: Counts = { calls: 0, answered: 0, refused: 0, lost: 0, interrupted: 0, wrong: [] };
  const agent = new Agent({ keepAlive: true });
  const clientOf = (number: number): Client => {
    const principal = PRINCIPALS[number % PRINCIPALS.length] as string;
    const of = randomOf(`${seed}-${number}`);
    return { number, principal, token: tokenOf(principal), agent, url: () => gateways.urlFor(of()), random: of };
  };
  const startedMs = Date.now();
  const killing = (async () => {
    for (let count = 0; count < kills; count++) {
      await sleep(BETWEEN_KILLS_MS * (0.5 + random()));
      await gateways.kill(random());
    }
  })();
  await Promise.all([...Array.from({ length: calls }, (_, number) => runClient(clientOf(number), counts)), killing]);
  const endedMs = Date.now();
  const records = openRecords(place, await gateways.accounts());
  const seen = { records, dates: [...new Set([startedMs, endedMs].map(dateOf))] };
  const billsNow = async () => (await (await fetch(`${openaiUrl}/_control/${account}/bills`)).json()) as Bill[];
  // Any call makes a process look after the account of its principal.
  if (kills > 0) await Promise.all(PRINCIPALS.map((_, number) => callOnce(clientOf(number), 'chat_completion', lookOf(clientOf(number)))));
  if (kills > 0 || runtime === 'workerd') await settled(async () => isSettled(seen, kills > 0 ? undefined : sumOf(await billsNow())));
  const settledMs = Date.now() - endedMs;
  await gateways.drain();
  const bills = await billsNow();
  const budgets = Object.fromEntries(
    await Promise.all(Object.entries(limits).map(async ([name, limit]) => [name, await rowOf(seen, name, limit, bills)] as const)),
  );
  const sums = await sumsOf(seen, bills);
  const wrong = [...counts.wrong, ...problemsOf(budgets, sums, kills > 0), ...(await missingOf(seen, bills))];
  await gateways.close();
  agent.destroy();
  return { budgets, sums, counts, settledMs, wrong };
}

const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
const tokenOf = (principal: string) => `key-of-${principal}-in-the-load-tests`;
const lookOf = ({ principal }: Client) => ({ prompt: `${principal} looks`, model: CHAT_MODEL, max_completion_tokens: 1 });
const sumOf = (amounts: readonly { usd: number }[]) => amounts.reduce((sum, { usd }) => sum + usd, 0);

function limitsFor(calls: number): Record<string, number> {
  const all = { ...LIMITS, [GATEWAY]: GATEWAY_LIMIT };
  return Object.fromEntries(Object.entries(all).map(([name, limit]) => [name, (limit * calls) / 1000]));
}

function environmentOf(limits: Record<string, number>, place: Place, account: string, openaiUrl: string): Record<string, string> {
  const keys = PRINCIPALS.map((name) => [name, { key: tokenOf(name), ...(limits[name] && { budget_usd_per_day: limits[name] }) }]);
  return {
    MCP_SERVER_API_KEYS: JSON.stringify(Object.fromEntries(keys)),
    MCP_BUDGET_USD_PER_DAY: String(limits[GATEWAY]),
    MCP_STORE_PROMPTS: '1',
    MCP_DEFAULT_WAIT_SECONDS: '600',
    MODEL_PRICES,
    OPENAI_API_KEY: account,
    OPENAI_BASE_URL: `${openaiUrl}/v1`,
    AZURE_STORAGE_CONNECTION_STRING: place.storage.connectionString,
    AZURE_BLOB_CONTAINER: place.storage.container,
    AZURE_BLOB_PUBLIC_BASE_URL: place.storage.containerUrl,
    AZURE_BLOB_PATH_PREFIX: place.pathPrefix,
    STATE_SECRET: place.secret,
  };
}

/** Each request takes a while, so that much is in flight when a gateway is killed. */
async function delayUpstream(url: string, requests: number, random: () => number): Promise<void> {
  const faults = Array.from({ length: requests }, () => ({ at: 'POST', delayMs: random() * MAX_UPSTREAM_MS }));
  await fetch(url, { method: 'POST', body: JSON.stringify(faults) });
}

async function settled(isSettled: () => Promise<boolean>): Promise<void> {
  const untilMs = Date.now() + SETTLED_WITHIN_MS;
  while (!(await isSettled()) && Date.now() < untilMs) await sleep(POLL_MS);
}

type Seen = Readonly<{ records: Records; dates: readonly string[] }>;

/** Whether no job is left to be settled; `billedUsd`: and everything else is written, too. */
async function isSettled({ records, dates }: Seen, billedUsd: number | undefined): Promise<boolean> {
  for (const date of dates) {
    for (const owner of [GATEWAY, ...PRINCIPALS.map(ownerOf)]) {
      const account = await records.ledger.accounts.read({ owner, date });
      if (jobsOf(account).length > 0 || (billedUsd !== undefined && Object.keys(account.holds).length > 0)) return false;
    }
  }
  return billedUsd === undefined || isSame(await bookUsd({ records, dates }), billedUsd);
}

const isSame = (a: number, b: number) => Math.abs(a - b) <= EXACT_USD;

async function bookUsd({ records, dates }: Seen): Promise<number> {
  const days = await records.ledger.book.read(dates);
  return days.flatMap(({ rows }) => rows).reduce((sum, { cost_usd }) => sum + cost_usd, 0);
}

async function rowOf({ records, dates }: Seen, name: string, limit: number, bills: readonly Bill[]): Promise<BudgetRow> {
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

async function sumsOf(seen: Seen, bills: readonly Bill[]): Promise<Sums> {
  const jobs = await seen.records.jobs();
  const costs = jobs.map((job) => ({ usd: costOf(job) ?? 0, isInterrupted: job.state === 'interrupted' }));
  return {
    billed: sumOf(bills),
    book: await bookUsd(seen),
    billedJobs: sumOf(bills.filter(({ model }) => model !== CHAT_MODEL)),
    jobs: sumOf(costs),
    interruptedUsd: sumOf(costs.filter(({ isInterrupted }) => isInterrupted)),
    listed: (await seen.records.listed(PRINCIPALS, seen.dates)).reduce((sum, { cost_usd = 0 }) => sum + cost_usd, 0),
  };
}

function problemsOf(budgets: Record<string, BudgetRow>, sums: Sums, isKilled: boolean): string[] {
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
  assert(isSame(listed, billedJobs), `the list of what was made says ${listed}, the bills ${billedJobs}`);
  assert(isSame(book, billed), `the book says ${book}, the bills ${billed}`);
  return wrong;
}

/** What was billed for media must be in the records of the jobs, with at least the amount of the bill; and what was interrupted, in the list. */
async function missingOf({ records, dates }: Seen, bills: readonly Bill[]): Promise<string[]> {
  const jobs = await records.jobs();
  const listed = new Set((await records.listed(PRINCIPALS, dates)).map(({ id }) => id));
  const unlisted = jobs.filter(({ id, state }) => state === 'interrupted' && !listed.has(id));
  const recorded = new Map<string, number>();
  for (const job of jobs) recorded.set(job.prompt ?? '', (recorded.get(job.prompt ?? '') ?? 0) + (costOf(job) ?? 0));
  const billed = new Map<string, number>();
  for (const { model, text, usd } of bills) if (model !== CHAT_MODEL) billed.set(text, (billed.get(text) ?? 0) + usd);
  const unrecorded = [...billed].filter(([text, usd]) => usd > (recorded.get(text) ?? 0) + EXACT_USD);
  return [
    ...unrecorded.map(([text, usd]) => `${text}: ${usd} were billed, and the records say ${recorded.get(text) ?? 'nothing'}`),
    ...unlisted.map(({ id, prompt }) => `${prompt}: ${id} was interrupted, and is not listed`),
  ];
}

type Gateways = Readonly<{
  /** Of any of them; it may be starting. */
  urlFor: (random: number) => string;
  /** Kills one, and starts it again. */
  kill: (random: number) => Promise<void>;
  /** Ends them as a platform does; on Workers, nothing has to end. */
  drain: () => Promise<void>;
  accounts: () => Promise<AccountNamespace | undefined>;
  close: () => Promise<void>;
}>;

async function startGateways({ runtime, replicas }: BudgetOptions, env: Record<string, string>): Promise<Gateways> {
  const folder = await mkdtemp(join(tmpdir(), 'budget-'));
  const start = (): Promise<RunningGateway> =>
    runtime === 'node' ? startNodeGateway(env) : startWorkerdGateway(env, undefined, { persistTo: folder, onLog: () => {} });
  const running = await Promise.all(Array.from({ length: runtime === 'node' ? replicas : 1 }, start));
  const indexOf = (random: number) => Math.floor(random * running.length);
  const at = (index: number) => running[index] as RunningGateway;
  return {
    urlFor: (random) => at(indexOf(random)).url,
    async kill(random) {
      const index = indexOf(random);
      const { pid, close } = at(index);
      process.kill(pid, 'SIGKILL');
      await close();
      running[index] = await start();
    },
    async drain() {
      if (runtime === 'node') await Promise.all((running as RunningNodeGateway[]).map(({ terminate }) => terminate()));
    },
    accounts: async () => at(0).objects?.('ACCOUNTS'),
    async close() {
      if (runtime === 'workerd') await Promise.all(running.map(({ close }) => close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

if (import.meta.main) {
  const [calls, kills, seed] = [numberOption('calls', 1_000), numberOption('kills', 6), numberOption('seed', 20_261_125)];
  const [azurite, openai] = await Promise.all([startAzurite(), startOpenAIStandIn()]);
  let exitCode = 0;
  for (const runtime of askedRuntimes(['node', 'workerd'])) {
    for (const count of process.argv.includes('--kills') ? [kills] : [0, kills]) {
      const options = { runtime, replicas: 3, calls, kills: count, seed };
      const { budgets, sums, counts, settledMs, wrong } = await runBudget(options, { storage: azurite, openaiUrl: openai.url });
      console.log(`\n${runtime}, ${calls} clients, ${count} kills, seed ${seed}; settled after ${Math.round(settledMs / 1000)} s`);
      console.table(budgets);
      console.log(JSON.stringify({ ...sums, ...counts, wrong: wrong.length }));
      for (const problem of wrong.slice(0, 20)) console.log(`  ${problem}`);
      if (wrong.length > 0) exitCode = 1;
    }
  }
  await Promise.all([azurite.close(), openai.close()]);
  process.exit(exitCode);
}
