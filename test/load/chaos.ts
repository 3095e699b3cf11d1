/**
 * `npm run chaos`: 200 clients, each of which wants one image, leave at random moments and call again, while the gateway
 * is killed and started anew. Ends with exit code 1 unless every image that the upstream has billed was either received
 * by its client, once, or reported to it as interrupted. `-- node`, `-- workerd`, `-- --clients N`, `-- --kills N`,
 * `-- --seed N`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { type RunningAzurite, startAzurite } from '../stand-ins/azurite.ts';
import { pick, randomOf } from '../stand-ins/openai/scene/random.ts';
import { askedRuntimes, KEY, numberOption, type RuntimeName } from './gateways.ts';
import { type ImageUpstream, startImageUpstream } from './image-upstream.ts';
import { messageIn } from './send.ts';

export type ChaosOptions = Readonly<{ runtime: RuntimeName; clients: number; kills: number; seed: number }>;
export type Storage = Pick<RunningAzurite, 'connectionString' | 'container' | 'containerUrl'>;

/** What has become of a run; `wrong` names each promise that was broken. */
export type ChaosReport = {
  calls: number;
  billed: number;
  received: number;
  collected: number;
  interrupted: number;
  left: number;
  wrong: string[];
};

type Random = () => number;
const now = () => `${Math.round(performance.now())} ms`;
type Answer = Readonly<{ images?: readonly { revised_prompt: string }[]; job_id?: string; collected?: boolean; warning?: string }>;
type Outcome = Readonly<{ text: string; answer: Answer }>;
type Gateway = Readonly<{ current: () => Promise<RunningGateway>; kill: () => Promise<void>; close: () => Promise<void> }>;

const MAX_IMAGE_MS = 4_000;
/** Within which a client leaves that does. */
const MAX_PATIENCE_MS = 5_000;
const BETWEEN_KILLS_MS = 3_000;
const MAX_CALLS_OF_A_CLIENT = 100;
const PAUSE_MS = 300;

export async function runChaos({ runtime, clients, kills, seed }: ChaosOptions, storage: Storage): Promise<ChaosReport> {
  const random = randomOf(`${seed}`);
  const upstream = await startImageUpstream(() => random() * MAX_IMAGE_MS);
  const gateway = createGateway(runtime, {
    MCP_SERVER_API_KEY: KEY,
    OPENAI_API_KEY: 'key-of-the-upstream',
    OPENAI_BASE_URL: upstream.url,
    AZURE_STORAGE_CONNECTION_STRING: storage.connectionString,
    AZURE_BLOB_CONTAINER: storage.container,
    AZURE_BLOB_PUBLIC_BASE_URL: storage.containerUrl,
    STATE_SECRET: `state-secret-of-one-run-${crypto.randomUUID()}`,
  });
  const report: ChaosReport = { calls: 0, billed: 0, received: 0, collected: 0, interrupted: 0, left: 0, wrong: [] };
  const all = Array.from({ length: clients }, (_, index) => runClient(index, randomOf(`${seed}-${index}`), gateway, upstream, report));
  const killing = (async () => {
    for (let count = 0; count < kills; count++) {
      await sleep(BETWEEN_KILLS_MS * (0.5 + random()));
      await gateway.kill();
    }
  })();
  await Promise.all([...all, killing]);
  await gateway.close();
  upstream.close();
  return report;
}

/** One gateway after another, in front of the same state. */
function createGateway(runtime: RuntimeName, env: Record<string, string>): Gateway {
  const folder = mkdtemp(join(tmpdir(), 'chaos-'));
  const start = async () => (runtime === 'node' ? startNodeGateway(env) : startWorkerdGateway(env, undefined, { persistTo: await folder }));
  let running = start();
  return {
    current: () => running,
    kill: async () => {
      const { pid, close } = await running;
      if (runtime === 'workerd') process.kill(pid, 'SIGKILL');
      running = close().then(start);
      await running;
    },
    close: async () => {
      await (await running).close();
      await rm(await folder, { recursive: true, force: true });
    },
  };
}

/** Calls until it has its image, and then holds what it has received against what was billed. */
async function runClient(index: number, random: Random, gateway: Gateway, upstream: ImageUpstream, report: ChaosReport): Promise<void> {
  const prompt = `what client ${index} wants`;
  const key = pick(random, [undefined, undefined, `key-${index}`]);
  const received: string[] = [];
  // Answers to what it has cancelled, which no client looks at.
  const ignored: string[] = [];
  const interrupted = new Set<string>();
  // What it did and what came of it, for whoever has to find out why.
  const history: string[] = [];
  let keys = 0;
  let jobId: string | undefined;
  for (let calls = 0; received.length === 0; calls++) {
    if (calls === MAX_CALLS_OF_A_CLIENT) return void report.wrong.push(`client ${index} never had its image`);
    report.calls++;
    const args = { prompt, size: '64x64', ...(key && { idempotency_key: `${key}-${keys}` }) };
    const wait = pick(random, [{}, {}, { wait_seconds: 0 }, { wait_seconds: 1 }]);
    const sent = jobId ? { job_id: jobId, ...wait } : { ...args, ...wait };
    history.push(`${now()} ${JSON.stringify(sent)}`);
    const onLeave = (how: string) => {
      report.left++;
      history.push(`${now()} leaves: ${how}`);
    };
    const onIgnored = (answer: Answer) => ignored.push(...idsOf(answer));
    const outcome = await callOnce(sent, { random, gateway, onLeave, onIgnored, mayReset: () => upstream.isWorkingOn(prompt) });
    history.push(`${now()} ${outcome?.text ?? 'no answer'}`);
    jobId = undefined;
    if (!outcome) continue;
    const { text, answer } = outcome;
    if (answer.warning?.includes('interrupted')) interrupted.add(answer.warning);
    if (answer.images && answer.collected) report.collected++;
    received.push(...idsOf(answer));
    if (!answer.images && text.includes('job_interrupted')) {
      interrupted.add(/job-[0-9a-f-]+/.exec(text)?.[0] ?? text);
      keys++;
    } else if (answer.job_id) jobId = pick(random, [answer.job_id, answer.job_id, undefined]);
    else if (text.includes('busy')) await sleep(PAUSE_MS);
    else if (!answer.images) return void report.wrong.push(`client ${index}: ${text.slice(0, 300)}`);
  }
  const billed = upstream.billed.get(prompt) ?? [];
  const missing = billed.filter((id) => !received.includes(id) && !ignored.includes(id));
  report.billed += billed.length;
  report.received += received.length;
  report.interrupted += interrupted.size;
  if (received.length !== 1) report.wrong.push(`client ${index} received ${received}`);
  if (missing.length > interrupted.size)
    report.wrong.push(
      `client ${index}: billed ${billed}, received ${received}, told of ${interrupted.size} interruptions\n    ${history.join('\n    ')}`,
    );
}

type CallOptions = Readonly<{
  random: Random;
  gateway: Gateway;
  onLeave: (how: string) => void;
  /** An answer to a call that was cancelled. */
  onIgnored: (answer: Answer) => void;
  mayReset: () => boolean;
}>;

/** `undefined` when the client has left, or the connection has ended before the whole answer was there. */
async function callOnce(args: object, { random, gateway, onLeave, onIgnored, mayReset }: CallOptions): Promise<Outcome | undefined> {
  const { url } = await gateway.current();
  const id = `call-${crypto.randomUUID()}`;
  const leaves = random() < 0.6 ? pick(random, ['half-close', 'reset', 'cancel']) : undefined;
  const left = Promise.withResolvers<'cancelled'>();
  const sent = post(url, { jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'generate_image', arguments: args } });
  const leaving = setTimeout(leave, random() * MAX_PATIENCE_MS);
  async function leave(): Promise<void> {
    // What is on its way to a client that resets its connection is lost, and nobody can know.
    if (!leaves || (leaves === 'reset' && !mayReset())) return;
    onLeave(leaves);
    if (leaves === 'half-close') sent.socket()?.end();
    if (leaves === 'reset') sent.socket()?.resetAndDestroy();
    if (leaves !== 'cancel') return;
    await post(url, { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } }).text;
    left.resolve('cancelled');
  }
  const text = await Promise.race([sent.text, left.promise]);
  clearTimeout(leaving);
  if (text === 'cancelled') void sent.text.then((late) => onIgnored(answerIn(late)));
  if (text !== 'cancelled' && text !== undefined) return { text, answer: answerIn(text) };
  // Nothing listens while the gateway starts.
  await sleep(PAUSE_MS * random());
  return undefined;
}

function answerIn(text: string | undefined): Answer {
  const result = messageIn(text ?? '')?.result as { structuredContent?: Answer } | undefined;
  return result?.structuredContent ?? {};
}

const idsOf = ({ images = [] }: Answer) => images.map((image) => image.revised_prompt);

/** `text` resolves to `undefined` unless all of the answer has come. */
function post(url: string, message: object) {
  const body = JSON.stringify(message);
  const headers = {
    authorization: `Bearer ${KEY}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'content-length': Buffer.byteLength(body),
  };
  const sent = request(`${url}/mcp`, { method: 'POST', headers, agent: false });
  const text = new Promise<string | undefined>((resolve) => {
    sent.on('error', () => resolve(undefined));
    sent.on('response', (response: IncomingMessage) => {
      let received = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        received += chunk;
      });
      response.on('close', () => resolve(response.complete ? received : undefined));
    });
  });
  sent.end(body);
  return { text, socket: () => sent.socket as Socket | null };
}

if (import.meta.main) {
  const [clients, kills, seed] = [numberOption('clients', 200), numberOption('kills', 6), numberOption('seed', 20_261_125)];
  const azurite = await startAzurite();
  let exitCode = 0;
  for (const runtime of askedRuntimes(['node', 'workerd'])) {
    const { wrong, ...counts } = await runChaos({ runtime, clients, kills, seed }, azurite);
    console.log(`${runtime}, ${clients} clients, ${kills} kills, seed ${seed}: ${JSON.stringify(counts)}`);
    for (const problem of wrong) console.log(`  ${problem}`);
    if (wrong.length > 0) exitCode = 1;
  }
  await azurite.close();
  process.exit(exitCode);
}
