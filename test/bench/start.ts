import { startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { KEY, numberOption, startGateway, startNodeInContainer } from '../load/gateways.ts';
import { cpuMicros, median } from './load.ts';
import { PEER, table } from './table.ts';

const ROUNDS = numberOption('rounds', 3);
const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
const env = { OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' };

const subjects = {
  'Hono echo, Node': () => startNodeGateway({}, undefined, 'test/bench/peers/hono-echo.ts'),
  'gateway, Node': () => startGateway('node', env),
  '"ok" Worker, workerd': () => startWorkerdGateway({}, 'test/bench/peers/ok-worker.ts', PEER),
  'gateway, workerd': () => startGateway('workerd', env),
};

/** From the start of the process to its first answer. */
export async function measureStart(): Promise<string> {
  const cpus = new Map<string, number[]>(Object.keys(subjects).map((name) => [name, []]));
  // As in the image, what is compiled has been kept: by a process that has ended in an orderly way.
  const first = await startNodeInContainer({ MCP_SERVER_API_KEY: KEY, OPENAI_API_KEY: KEY, ...env });
  await first.terminate();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, start] of Object.entries(subjects)) {
      const { url, pid, close } = await start();
      const response = await fetch(`${url}/mcp`, { method: 'POST', headers, body });
      if (!response.ok) throw new Error(`${name} answered with ${response.status}.`);
      await response.text();
      cpus.get(name)?.push(cpuMicros(pid) / 1_000);
      await close();
    }
  }
  const of = (name: string) => median(cpus.get(name) ?? []);
  const rows = [...cpus.keys()].map((name, index, names) => [
    name,
    Math.round(of(name)),
    (of(name) / of(names[index - (index % 2)] ?? name)).toFixed(1),
  ]);
  return table('Start to the first answer', ['process', 'CPU, ms', 'ratio'], rows);
}
