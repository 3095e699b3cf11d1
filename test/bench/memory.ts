import { Agent } from 'node:http';
import { startChatUpstream } from '../load/chat-upstream.ts';
import { KEY, type RuntimeName, residentMb, startGateway } from '../load/gateways.ts';
import { type Received, send } from '../load/send.ts';
import { drive } from './load.ts';
import { table } from './table.ts';

const CALLS = 20_000;
const AT_ONCE = 1_000;
const CALL_MS = 3_000;
const SAMPLE_MS = 50;
const SLOW = 'slow';
const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
const chat = (prompt: string) => (id: number) => ({
  headers,
  body: JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'chat_completion', arguments: { prompt } } }),
});

/** Resident memory after many calls, and while many wait; on Node with the container's flags. */
export async function measureMemory(): Promise<string> {
  const upstream = await startChatUpstream((prompt) => (prompt === SLOW ? CALL_MS : 0));
  const rows = [];
  for (const runtime of ['node', 'workerd'] satisfies RuntimeName[]) {
    const gateway = await startGateway(runtime, { OPENAI_BASE_URL: upstream.url });
    const isRight = ({ status }: Received) => status === 200;
    await drive(gateway, chat('hello'), { calls: CALLS, connections: 32, isRight });
    const afterMb = residentMb(gateway.pid) ?? Number.NaN;
    let peakMb = afterMb;
    const sampler = setInterval(() => {
      peakMb = Math.max(peakMb, residentMb(gateway.pid) ?? 0);
    }, SAMPLE_MS);
    const agent = new Agent();
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => send(gateway.url, chat(SLOW)(index), agent)));
    clearInterval(sampler);
    agent.destroy();
    await gateway.close();
    rows.push([runtime, afterMb, Math.round(((peakMb - afterMb) * 1_000) / AT_ONCE)]);
  }
  upstream.close();
  return table(
    'Memory',
    ['runtime', `resident after ${CALLS} calls, MB`, `more for each of ${AT_ONCE} calls of ${CALL_MS / 1000} s at once, kB`],
    rows,
  );
}
