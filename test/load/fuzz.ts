/**
 * `npm run fuzz`: 100,000 requests of every kind to the gateway on Node and in workerd, over HTTP, in front of an
 * upstream that answers anything. Ends with exit code 1 at a 5xx, an "Internal error", a response that is too large or
 * takes more than 1 s, a secret in a response or in the log (Node's), a process that has ended, or memory that grows.
 * Each kind of problem is printed with the smallest request that had it. `-- node`, `-- workerd`, `-- --calls N`,
 * `-- --seed N`. Linux only (/proc).
 */
import { once } from 'node:events';
import { Agent, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { CLIENT_KEY, fuzzEnvironment, problemsOf, secretsIn } from '../fuzz/problems.ts';
import { type FuzzRequest, fuzzRequests, type ToolDefinition } from '../fuzz/requests.ts';
import { createFuzzUpstream } from '../fuzz/responses.ts';
import { askedRuntimes, numberOption, type RuntimeName, residentMb, startGateway } from './gateways.ts';
import { messageIn, type Received, send } from './send.ts';

const CALLS = numberOption('calls', 100_000);
const SEED = numberOption('seed', 20_261_124);
/** Generated at a time. */
const CHUNK = 1_000;
const CONCURRENCY = 8;
const MAX_DURATION_MS = 1_000;
/** workerd's heap breathes more than Node's, which has the container's flags. */
const MAX_GROWTH_MB: Readonly<Record<RuntimeName, number>> = { node: 50, workerd: 128 };
const MAX_SHOWN_CHARACTERS = 1_000;

type Found = { count: number; smallest: FuzzRequest; received: string };

const upstreamOrigin = await startUpstream();
let exitCode = 0;
console.log(`seed ${SEED}`);
for (const runtime of askedRuntimes(['node', 'workerd'])) if (!(await fuzz(runtime))) exitCode = 1;
process.exit(exitCode);

async function fuzz(runtime: RuntimeName): Promise<boolean> {
  const gateway = await startGateway(runtime, fuzzEnvironment(upstreamOrigin));
  const found = new Map<string, Found>();
  let slowestMs = 0;
  let firstMb: number | undefined;
  let leaks = 0;
  if (gateway.log) createInterface({ input: gateway.log }).on('line', (line) => (leaks += secretsIn(line).length));

  function judge(request: FuzzRequest, received: Received): void {
    slowestMs = Math.max(slowestMs, received.durationMs);
    const problems = problemsOf(request, received.status, received.text);
    if (received.error) problems.push(`no response (${received.error})`);
    // What is free about videos is tried again after a wait.
    const mayWait = String(request.body).includes('generate_video');
    if (received.durationMs > MAX_DURATION_MS && !mayWait) problems.push(`a response after more than ${MAX_DURATION_MS} ms`);
    for (const problem of problems) remember(found, problem, request, received);
  }

  const requests = fuzzRequests(await listTools(gateway.url), CLIENT_KEY);
  for (let done = 0; done < CALLS && residentMb(gateway.pid) !== undefined; done += CHUNK) {
    const chunk = fc.sample(requests, { seed: SEED + done, numRuns: Math.min(CHUNK, CALLS - done) });
    await sendAll(gateway.url, chunk, judge);
    if (done + CHUNK >= CALLS / 10) firstMb ??= residentMb(gateway.pid);
  }
  const lastMb = residentMb(gateway.pid);
  await gateway.close();
  const growthMb = (lastMb ?? 0) - (firstMb ?? 0);
  const isPassed = found.size === 0 && leaks === 0 && lastMb !== undefined && growthMb <= MAX_GROWTH_MB[runtime];
  for (const [problem, { count, smallest, received }] of found) show(runtime, problem, count, smallest, received);
  if (lastMb === undefined) console.log(`${runtime}: the gateway has ended.`);
  console.log(
    `${runtime}: ${isPassed ? 'passed' : 'FAILED'}; ${CALLS} requests, slowest ${Math.round(slowestMs)} ms, growth ${growthMb} MB (at most ${MAX_GROWTH_MB[runtime]}), ${leaks} secrets in the log`,
  );
  return isPassed;
}

async function sendAll(
  url: string,
  requests: readonly FuzzRequest[],
  judge: (request: FuzzRequest, received: Received) => void,
): Promise<void> {
  const left = [...requests];
  async function client(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let request = left.pop(); request; request = left.pop()) judge(request, await send(url, request, agent));
    agent.destroy();
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, client));
}

function remember(found: Map<string, Found>, problem: string, request: FuzzRequest, received: Received): void {
  const known = found.get(problem);
  const isSmaller = !known || request.body.length < known.smallest.body.length;
  const smallest = isSmaller ? request : known.smallest;
  found.set(problem, { count: (known?.count ?? 0) + 1, smallest, received: isSmaller ? received.text : known.received });
}

function show(runtime: string, problem: string, count: number, { method, path, headers, body }: FuzzRequest, received: string): void {
  const text = typeof body === 'string' ? body : `bytes ${body.toHex()}`;
  console.log(`${runtime}: ${problem} (${count} times), for example ${method} ${path.slice(0, 200)} ${JSON.stringify(headers)}`);
  console.log(
    `  ${text.slice(0, MAX_SHOWN_CHARACTERS)} (${body.length})\n  → ${received.slice(0, MAX_SHOWN_CHARACTERS)} (${received.length})`,
  );
}

async function listTools(url: string): Promise<ToolDefinition[]> {
  const headers = { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' };
  const { text } = await send(url, { headers, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }) }, new Agent());
  return messageIn(text)?.result?.tools as ToolDefinition[];
}

async function startUpstream(): Promise<string> {
  const respond = createFuzzUpstream(SEED);
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const key = incoming.headers.authorization?.replace('Bearer ', '') ?? '';
    const request = {
      method: incoming.method ?? '',
      url: `http://upstream.test${incoming.url}`,
      body: Buffer.concat(chunks).toString(),
      key,
    };
    const { status, headers, body } = respond(request);
    response.writeHead(status, headers).end(body);
  });
  server.keepAliveTimeout = 600_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
