import { Agent } from 'node:http';
import type { Principal } from '../../src/auth/principal.ts';
import { createBudgets } from '../../src/usage/budgets.ts';
import { startNodeGateway } from '../gateways.ts';
import { type Client, callOnce } from './budget-calls.ts';
import { openRecords, type Place } from './budget-records.ts';

/** Percentiles of durations, in milliseconds. */
type Durations = Readonly<{ p50: number; p99: number }>;

const PRINCIPAL: Principal = { id: 'alice', name: 'alice', limits: { budgetUsdPerDay: 1_000 } };
const GATEWAY_USD = 10_000;
const ESTIMATE = { usd: 0.01, model: '', cheaper: '' };
const CHATS = 400;
const WARM_UP = 50;

/**
 * How long jobs wait for their reservation, in both budgets: with so many processes, each of which starts a job every
 * `everyMs`, and all on the same two accounts.
 */
export async function timeReservations(place: Place, processes: number, jobs: number, everyMs: number): Promise<Durations> {
  const all = Array.from({ length: processes }, () => createBudgets(openRecords(place).ledger.accounts, GATEWAY_USD, Date));
  const startMs = performance.now();
  const times = all.flatMap((budgets) =>
    Array.from({ length: jobs }, async (_, index) => {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, startMs + index * everyMs - performance.now())));
      const askedMs = performance.now();
      const settle = await budgets.reserve(PRINCIPAL, ESTIMATE, { id: crypto.randomUUID(), place: 'nowhere' });
      const tookMs = performance.now() - askedMs;
      settle(ESTIMATE.usd);
      return tookMs;
    }),
  );
  return percentilesOf(await Promise.all(times));
}

/** A small chat, one at a time, in turn through a gateway without a budget and one with two. */
export async function timeChats(
  env: Record<string, string>,
  budgets: Record<string, string>,
): Promise<{ without: Durations; with: Durations }> {
  const gateways = await Promise.all([startNodeGateway(env), startNodeGateway({ ...env, ...budgets })]);
  const agent = new Agent({ keepAlive: true });
  const times: [number[], number[]] = [[], []];
  for (let call = 0; call < WARM_UP + CHATS; call++) {
    for (const [index, { url }] of gateways.entries()) {
      const client: Client = {
        number: call,
        principal: '',
        token: env.MCP_SERVER_API_KEY ?? '',
        agent,
        url: () => url,
        random: Math.random,
      };
      const askedMs = performance.now();
      await callOnce(client, 'chat_completion', { prompt: 'Hello', model: 'gpt-6-sol', max_completion_tokens: 20 });
      if (call >= WARM_UP) times[index]?.push(performance.now() - askedMs);
    }
  }
  agent.destroy();
  await Promise.all(gateways.map(({ close }) => close()));
  return { without: percentilesOf(times[0]), with: percentilesOf(times[1]) };
}

function percentilesOf(times: readonly number[]): Durations {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => Number((sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(2));
  return { p50: at(0.5), p99: at(0.99) };
}
