/**
 * `npm run soak`: 200,000 mixed calls, 32 at a time, on Node with the container's flags. Prints the resident memory as
 * it goes, and ends with exit code 1 when it grows by more than 20 MB between the first tenth and the end, or when any
 * call is answered wrongly. `-- --calls N` makes fewer, `-- workerd` does the same in workerd. Linux only (/proc).
 */
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { kinds, LATE, SLOW } from './calls.ts';
import { startChatUpstream } from './chat-upstream.ts';
import { askedRuntimes, numberOption, type RuntimeName, residentMb, startGateway } from './gateways.ts';
import { send } from './send.ts';

const CALLS: Readonly<Record<RuntimeName, number>> = { node: 200_000, workerd: 40_000 };
const CONCURRENCY = 32;
const MAX_GROWTH_MB = 20;
const SLOW_MS = 300;
/** Beyond the 800 ms after which the gateway reports progress. */
const LATE_MS = 1_200;
/** For the last calls to end, whose clients have gone. */
const SETTLE_MS = 1_000;
/** After this many there is no use in going on. */
const MAX_WRONG = 1_000;

const upstream = await startChatUpstream((prompt) => (prompt.startsWith(SLOW) ? SLOW_MS : prompt.startsWith(LATE) ? LATE_MS : 0));
let exitCode = 0;
for (const runtime of askedRuntimes(['node'])) if (!(await soak(runtime))) exitCode = 1;
upstream.close();
process.exit(exitCode);

async function soak(runtime: RuntimeName): Promise<boolean> {
  const calls = numberOption('calls', CALLS[runtime]);
  const gateway = await startGateway(runtime, { OPENAI_BASE_URL: upstream.url });
  const wrong = new Map<string, number>();
  const samplesMb: number[] = [];
  const startMs = performance.now();
  for (let tenth = 0; tenth < 10 && total(wrong) < MAX_WRONG; tenth++) {
    await drive(gateway.url, Math.round((tenth * calls) / 10), Math.round(((tenth + 1) * calls) / 10), wrong);
    await sleep(SETTLE_MS);
    const mb = residentMb(gateway.pid);
    if (mb === undefined) break;
    samplesMb.push(mb);
    console.log(`${runtime}: ${mb} MB after ${Math.round(((tenth + 1) * calls) / 10)} calls, ${total(wrong)} of them wrong`);
  }
  const isAlive = residentMb(gateway.pid) !== undefined;
  await gateway.close();
  const growthMb = (samplesMb.at(-1) ?? 0) - (samplesMb[0] ?? 0);
  const seconds = Math.round((performance.now() - startMs) / 1000);
  const isPassed = isAlive && samplesMb.length === 10 && total(wrong) === 0 && Math.abs(growthMb) <= MAX_GROWTH_MB;
  if (!isAlive) console.log(`${runtime}: the gateway has ended.`);
  if (wrong.size > 0) console.table(Object.fromEntries(wrong));
  console.log(
    `${runtime}: ${isPassed ? 'passed' : 'FAILED'}; ${calls} calls, growth ${growthMb} MB (at most ${MAX_GROWTH_MB}), ${seconds} s`,
  );
  return isPassed;
}

/** The calls from one number to another, as many clients with a kept connection each. */
async function drive(url: string, from: number, to: number, wrong: Map<string, number>): Promise<void> {
  let next = from;
  async function client(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (next < to && total(wrong) < MAX_WRONG) {
      const number = next++;
      const kind = kinds[number % kinds.length];
      if (!kind) continue;
      const received = await send(url, kind.make(number), agent, kind.leaveAfterMs);
      if (kind.isRight(received, number)) continue;
      const seen = `${kind.name} (${received.error ?? received.status})`;
      if (!wrong.has(seen)) console.log(`wrong: ${seen}: ${received.text.slice(0, 300)}`);
      wrong.set(seen, (wrong.get(seen) ?? 0) + 1);
    }
    agent.destroy();
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, client));
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}
