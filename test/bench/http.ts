import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { startChatUpstream } from '../load/chat-upstream.ts';
import { KEY, numberOption, startGateway } from '../load/gateways.ts';
import { messageIn, type Received, type Sent } from '../load/send.ts';
import { drive, median, quantile, type Round } from './load.ts';
import { PEER, table } from './table.ts';

const ROUNDS = numberOption('rounds', 3);
/** How many requests are sent in a round over so many connections. */
const CALLS: Readonly<Record<number, number>> = { 1: 500, 32: 3_000, 256: 3_000 };
const WARM_UP_CALLS = 1_500;

type Subject = Readonly<{
  name: string;
  /** What it is compared with. */
  base?: string;
  run: (calls: number, connections: number) => Promise<Round>;
  close: () => Promise<void> | void;
}>;

const headers = {
  authorization: `Bearer ${KEY}`,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': '2025-11-25',
};
const request = (method: string, params: object) => (id: number) => ({
  headers,
  body: JSON.stringify({ jsonrpc: '2.0', id, method, params }),
});
const requests = {
  'tools/list': request('tools/list', {}),
  'tools/call': request('tools/call', { name: 'list_supported_models', arguments: {} }),
  chat: request('tools/call', { name: 'chat_completion', arguments: { prompt: 'hello' } }),
};
type Kind = keyof typeof requests;

/** The same request for all, which the others answer and an echo returns. */
export async function measureHttp(): Promise<string> {
  const upstream = await startChatUpstream(() => 0);
  const env = { OPENAI_BASE_URL: upstream.url, LOG_LEVEL: 'info' };
  const bare = startBareClient(env);
  const node = [
    await subjectOf('node:http echo', startPeer('node-echo.ts'), 'tools/call'),
    await subjectOf('Hono echo', startPeer('hono-echo.ts'), 'tools/call', 'Hono echo'),
    ...(await subjectsOf('gateway', startGateway('node', env), 'Hono echo')),
    ...(await subjectsOf('SDK server', startPeer('sdk-server.ts', env), 'Hono echo')),
    bare,
  ];
  const onNode = await measure('Node', node);
  const workerd = [
    await subjectOf('Hono echo', startWorkerdGateway({}, 'test/bench/peers/hono-worker.ts', PEER), 'tools/call', 'Hono echo'),
    ...(await subjectsOf('gateway', startGateway('workerd', env), 'Hono echo')),
  ];
  const onWorkerd = await measure('workerd', workerd);
  upstream.close();
  return `${onNode}\n\n${onWorkerd}`;
}

function startPeer(name: string, env: Record<string, string> = {}) {
  return startNodeGateway({ NODE_ENV: 'production', ...env }, undefined, `test/bench/peers/${name}`);
}

type Server = Awaited<ReturnType<typeof startGateway>>;

async function subjectsOf(name: string, starting: Promise<Server>, base: string): Promise<Subject[]> {
  const kinds = Object.keys(requests) as Kind[];
  return Promise.all(kinds.map((kind) => subjectOf(`${name}, ${kind}`, starting, kind, base)));
}

async function subjectOf(name: string, starting: Promise<Server>, kind: Kind, base?: string): Promise<Subject> {
  const server = await starting;
  const make: (id: number) => Sent = requests[kind];
  return {
    name,
    ...(base && { base }),
    run: (calls, connections) => drive(server, make, { calls, connections, isRight }),
    close: server.close,
  };
}

function isRight({ status, text }: Received, number: number): boolean {
  const message = messageIn(text) as { id?: unknown; error?: unknown; result?: { isError?: boolean } } | undefined;
  return status === 200 && message?.id === number && !message.error && !message.result?.isError;
}

/** Not a server: what a call costs that the gateway makes, too. */
function startBareClient(env: Record<string, string>): Subject {
  const script = fileURLToPath(new URL('peers/openai-client.ts', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [script], { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
  process.once('exit', () => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  return {
    name: 'bare openai client',
    async run(calls, connections) {
      child.stdin?.write(`${JSON.stringify({ calls, connections })}\n`);
      const { value = '' } = await lines.next();
      return JSON.parse(value);
    },
    close: () => void child.kill('SIGKILL'),
  };
}

/** Rounds of all subjects in turn, so that what else the machine does falls on all of them. */
async function measure(runtime: string, subjects: readonly Subject[]): Promise<string> {
  const rounds = new Map<string, Map<number, Round[]>>();
  for (const subject of subjects) {
    await subject.run(WARM_UP_CALLS, 32);
    rounds.set(subject.name, new Map());
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, run } of subjects) {
      for (const [connections, calls] of Object.entries(CALLS)) {
        const done = await run(calls, Number(connections));
        rounds.get(name)?.set(Number(connections), [...(rounds.get(name)?.get(Number(connections)) ?? []), done]);
      }
    }
  }
  for (const { close } of subjects) await close();
  const cpuOf = (name: string, connections: number) => median((rounds.get(name)?.get(connections) ?? []).map(({ cpuMicros }) => cpuMicros));
  const rows = subjects.map(({ name, base }) => {
    const latencies = Object.keys(CALLS).map((connections) => {
      const all = (rounds.get(name)?.get(Number(connections)) ?? []).flatMap(({ latenciesMs }) => latenciesMs);
      return `${median(all).toFixed(2)} / ${quantile(all, 0.99).toFixed(2)}`;
    });
    const ratio = base ? (cpuOf(name, 32) / cpuOf(base, 32)).toFixed(1) : '';
    return [name, Math.round(cpuOf(name, 32)), ratio, ...latencies];
  });
  const header = ['request', 'CPU, µs', '× Hono echo', ...Object.keys(CALLS).map((count) => `p50 / p99 at ${count}, ms`)];
  return table(`${runtime}: a request (CPU at 32 connections)`, header, rows);
}
