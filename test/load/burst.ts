/**
 * `npm run burst`: 2,000 simultaneous chat calls of 3 s each, ten times, on Node with the container's flags, and the
 * same against a bare node:http server that waits as long. Ends with exit code 1 unless the gateway answers all of them.
 * `-- --calls N --rounds N` for other numbers, `-- workerd` for workerd.
 */
import { once } from 'node:events';
import { Agent, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startChatUpstream } from './chat-upstream.ts';
import { askedRuntimes, KEY, numberOption, startGateway } from './gateways.ts';
import { send } from './send.ts';

const CALLS = numberOption('calls', 2_000);
const ROUNDS = numberOption('rounds', 10);
const CALL_MS = 3_000;
const TEXT = 'hello';

const upstream = await startChatUpstream(() => CALL_MS);
let exitCode = 0;
for (const runtime of askedRuntimes(['node'])) {
  const gateway = await startGateway(runtime, { OPENAI_BASE_URL: upstream.url });
  if (!(await rounds(`gateway on ${runtime}`, gateway.url))) exitCode = 1;
  await gateway.close();
}
const bare = createServer((incoming, response) => {
  incoming.resume();
  setTimeout(() => response.end(TEXT), CALL_MS);
}).listen(0, '127.0.0.1');
await once(bare, 'listening');
await rounds('bare node:http', `http://127.0.0.1:${(bare.address() as AddressInfo).port}`);
upstream.close();
process.exit(exitCode);

async function rounds(name: string, url: string): Promise<boolean> {
  let answered = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    const counts = await burst(url);
    answered += counts.answered ?? 0;
    console.log(`${name}, round ${round}: ${JSON.stringify(counts)}`);
  }
  console.log(`${name}: ${answered} of ${CALLS * ROUNDS} calls answered`);
  return answered === CALLS * ROUNDS;
}

/** How many calls were answered, and the others by what came instead. */
async function burst(url: string): Promise<Record<string, number>> {
  const agent = new Agent();
  const params = { name: 'chat_completion', arguments: { prompt: TEXT } };
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  const all = await Promise.all(Array.from({ length: CALLS }, () => send(url, { headers, body }, agent)));
  const counts: Record<string, number> = {};
  for (const { status, text, error } of all) {
    const outcome = error ?? (status === 200 && text.includes(TEXT) ? 'answered' : `${status} ${text.slice(0, 100)}`);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  const slowestMs = Math.round(Math.max(...all.map(({ durationMs }) => durationMs)));
  return { ...counts, slowest_ms: slowestMs };
}
