import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningGateway, startNodeGateway } from './gateways.ts';
import { startNodeInContainer } from './load/gateways.ts';

const KEY = 'key-of-the-burst-test';
const CALLS = 2_000;
const HEALTH_REQUEST = 'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

/** Longer than the gateway's limit for headers and the interval at which it is checked. */
const BUSY_MS = 10_500;
/** Makes the event loop of the gateway busy when it is sent a signal. */
const BUSY_ON_SIGNAL = `process.on('SIGUSR2', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${BUSY_MS}))`;

describe('a burst', () => {
  const waiting: (() => void)[] = [];
  const upstream = createServer((incoming, response) => {
    incoming.resume();
    const body = JSON.stringify({ choices: [{ message: { content: 'hello' } }] });
    waiting.push(() => response.setHeader('content-type', 'application/json').end(body));
    // Nobody is answered before all have arrived, so that all calls are in flight at once.
    if (waiting.length === CALLS) for (const respond of waiting) respond();
  });
  let gateway: RunningGateway;

  beforeAll(async () => {
    upstream.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
    await once(upstream, 'listening');
    const { port } = upstream.address() as AddressInfo;
    const env = { MCP_SERVER_API_KEY: KEY, OPENAI_API_KEY: 'none', OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1` };
    gateway = await startNodeInContainer(env);
  });
  afterAll(async () => {
    await gateway.close();
    upstream.closeAllConnections();
    upstream.close();
  });

  test(`all of ${CALLS} simultaneous calls are answered`, { timeout: 60_000 }, async () => {
    const agent = new Agent();
    const outcomes = await Promise.all(Array.from({ length: CALLS }, () => call(gateway.url, agent)));
    const counts: Record<string, number> = {};
    for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1;
    expect(counts).toEqual({ hello: CALLS });
  });
});

function call(url: string, agent: Agent): Promise<string> {
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
  const params = { name: 'chat_completion', arguments: { prompt: 'Hello?' } };
  const sent = request(`${url}/mcp`, { method: 'POST', agent, headers });
  sent.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
  return new Promise((resolve) => {
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    sent.on('response', async (response) => resolve(await textOf(response)));
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) text += chunk;
  // A slow response is an event stream of comments that ends with the result.
  const json = text.startsWith('{') ? text : (/^data: (.*)$/m.exec(text)?.[1] ?? '{}');
  return JSON.parse(json).result?.structuredContent?.text ?? text;
}

// Side by side, because both wait for as long as the limit is.
describe.concurrent('the limit for headers', { timeout: 60_000 }, () => {
  test('spares requests that wait unread while the event loop is busy', async ({ expect }) => {
    const preloaded = `--import=data:text/javascript,${encodeURIComponent(BUSY_ON_SIGNAL)}`;
    const gateway = await startNodeGateway({ MCP_SERVER_API_KEY: KEY, NODE_OPTIONS: preloaded });
    const sockets = Array.from({ length: 50 }, () => open(gateway.url));
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    // Once this is answered, the connections before it have been accepted.
    await fetch(`${gateway.url}/health`);
    process.kill(gateway.pid, 'SIGUSR2');
    await new Promise((resolve) => setTimeout(resolve, 500));
    const answers = sockets.map((socket) => statusLine(socket.end(HEALTH_REQUEST)));
    expect(new Set(await Promise.all(answers))).toEqual(new Set(['HTTP/1.1 200 OK']));
    await gateway.close();
  });

  test('ends a connection that sends nothing, and one that sends its headers too slowly', async ({ expect }) => {
    const gateway = await startNodeGateway({ MCP_SERVER_API_KEY: KEY });
    const [silent, slow] = [open(gateway.url), open(gateway.url)];
    slow.write(HEALTH_REQUEST.slice(0, HEALTH_REQUEST.indexOf('localhost')));
    const drip = setInterval(() => slow.write('x'), 1_000);
    expect(await Promise.all([statusLine(silent), statusLine(slow)])).toEqual(Array(2).fill('HTTP/1.1 408 Request Timeout'));
    clearInterval(drip);
    await gateway.close();
  });
});

test('what is no HTTP is answered with 400, and headers that are too large with 431', async () => {
  const gateway = await startNodeGateway({ MCP_SERVER_API_KEY: KEY });
  const [noHttp, large] = [open(gateway.url), open(gateway.url)];
  noHttp.write('nothing of HTTP\r\n\r\n');
  large.write(HEALTH_REQUEST.replace('localhost', 'a'.repeat(20_000)));
  expect(await Promise.all([statusLine(noHttp), statusLine(large)])).toEqual([
    'HTTP/1.1 400 Bad Request',
    'HTTP/1.1 431 Request Header Fields Too Large',
  ]);
  await gateway.close();
});

function open(url: string): Socket {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  return socket;
}

/** The first line of what is received before the connection ends, whether it is closed or reset. */
async function statusLine(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => (text += chunk));
  await new Promise((resolve) => socket.once('close', resolve));
  return text.split('\r\n', 1)[0] ?? '';
}
