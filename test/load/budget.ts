/**
 * `npm run budget`: 1,000 clients at once over three Node gateways, and 300 over the Worker, with budgets that run out; first
 * undisturbed, then with kills in between. Prints each budget beside the upstream's bills and the records. Ends with exit
 * code 1 unless no bill exceeds its budget and the records hold every bill: exactly when nothing was killed. `-- node`,
 * `-- workerd`, `-- --calls N`, `-- --kills N`, `-- --seed N`. `-- cost`: the time that budgets take instead.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GATEWAY } from '../../src/usage/accounts.ts';
import type { AccountNamespace } from '../../src/usage/durable-ledger.ts';
import { dateOf } from '../../src/utc-day.ts';
import { type RunningGateway, type RunningNodeGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { startAzurite } from '../stand-ins/azurite.ts';
import type { Bill } from '../stand-ins/openai/bills.ts';
import { randomOf } from '../stand-ins/openai/scene/random.ts';
import { startOpenAIStandIn } from '../stand-ins/openai/server.ts';
import { type Client, type Counts, callOnce, runClient } from './budget-calls.ts';
import { timeChats, timeReservations } from './budget-cost.ts';
import { openRecords, type Place, type Storage } from './budget-records.ts';
import {
  type BudgetOptions,
  type BudgetRow,
  CHAT_MODEL,
  isSettled,
  LIMITS,
  missingOf,
  PRINCIPALS,
  problemsOf,
  rowOf,
  type Sums,
  sumsOf,
} from './budget-report.ts';
import { askedRuntimes, numberOption } from './gateways.ts';

type Parts = Readonly<{ storage: Storage; openaiUrl: string }>;

type BudgetReport = Readonly<{ budgets: Record<string, BudgetRow>; sums: Sums; counts: Counts; settledMs: number; wrong: string[] }>;

const MODEL_PRICES = JSON.stringify(Object.fromEntries([CHAT_MODEL, 'gpt-image-2', 'tts-1'].map((model) => [model, model])));
/** The Worker runs in one process here: with more objects at once, its requests to the storage time out. */
const CALLS = { node: 1_000, workerd: 300 };
const MAX_UPSTREAM_MS = 4_000;
const BETWEEN_KILLS_MS = 2_500;
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
  if (kills > 0 || runtime === 'workerd') await settled(async () => isSettled(seen, kills > 0 ? undefined : await billsNow()));
  const settledMs = Date.now() - endedMs;
  await gateways.drain();
  const bills = await billsNow();
  const budgets = Object.fromEntries(
    await Promise.all(Object.entries(limits).map(async ([name, limit]) => [name, await rowOf(seen, name, limit, bills)] as const)),
  );
  const sums = await sumsOf(seen, bills);
  const wrong = [...counts.wrong, ...problemsOf(budgets, sums, options), ...(await missingOf(seen, bills))];
  await gateways.close();
  agent.destroy();
  return { budgets, sums, counts, settledMs, wrong };
}

const tokenOf = (principal: string) => `key-of-${principal}-in-the-load-tests`;
const lookOf = ({ principal }: Client) => ({ prompt: `${principal} looks`, model: CHAT_MODEL, max_completion_tokens: 1 });

function limitsFor(calls: number): Record<string, number> {
  return Object.fromEntries(Object.entries(LIMITS).map(([name, limit]) => [name, (limit * calls) / 1000]));
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
    AZURE_BLOB_PATH_PREFIX: place.pathPrefix ?? '',
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

async function printBudgets(parts: Parts): Promise<boolean> {
  const [kills, seed] = [numberOption('kills', 6), numberOption('seed', 20_261_125)];
  let isPassed = true;
  for (const runtime of askedRuntimes(['node', 'workerd'])) {
    const calls = numberOption('calls', CALLS[runtime]);
    for (const count of process.argv.includes('--kills') ? [kills] : [0, kills]) {
      const { budgets, sums, counts, settledMs, wrong } = await runBudget({ runtime, replicas: 3, calls, kills: count, seed }, parts);
      console.log(`\n${runtime}, ${calls} clients, ${count} kills, seed ${seed}; settled after ${Math.round(settledMs / 1000)} s`);
      console.table(budgets);
      console.log(JSON.stringify({ ...sums, ...counts, wrong: wrong.length }));
      for (const problem of wrong.slice(0, 20)) console.log(`  ${problem}`);
      if (wrong.length > 0) isPassed = false;
    }
  }
  return isPassed;
}

/** What budgets cost in time. */
async function printCost({ storage, openaiUrl }: Parts): Promise<void> {
  for (const [processes, everyMs] of [
    [1, 50],
    [3, 50],
    [3, 0],
  ] as const) {
    const place = { storage, secret: crypto.randomUUID(), pathPrefix: crypto.randomUUID() };
    const { p50, p99 } = await timeReservations(place, processes, 200, everyMs);
    console.log(`${processes} processes, a job every ${everyMs} ms in each: its reservation takes ${p50} ms (p50), ${p99} ms (p99)`);
  }
  const place = { storage, secret: `state-secret-of-one-run-${crypto.randomUUID()}`, pathPrefix: crypto.randomUUID() };
  const { MCP_SERVER_API_KEYS: _, MCP_BUDGET_USD_PER_DAY: __, ...env } = environmentOf({}, place, crypto.randomUUID(), openaiUrl);
  const budgets = { MCP_BUDGET_USD_PER_DAY: '1000', MCP_PRINCIPAL_DEFAULTS: '{"budget_usd_per_day": 100}' };
  console.log('a small chat, ms:', JSON.stringify(await timeChats({ ...env, MCP_SERVER_API_KEY: tokenOf('alice') }, budgets)));
}

if (import.meta.main) {
  // Each gateway that was started adds one.
  process.setMaxListeners(100);
  const [azurite, openai] = await Promise.all([startAzurite(), startOpenAIStandIn()]);
  const parts = { storage: azurite, openaiUrl: openai.url };
  const isPassed = process.argv.includes('cost') ? await printCost(parts).then(() => true) : await printBudgets(parts);
  await Promise.all([azurite.close(), openai.close()]);
  process.exit(isPassed ? 0 : 1);
}
