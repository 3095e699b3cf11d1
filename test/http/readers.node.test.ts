import { once } from 'node:events';
import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningNodeGateway, startNodeGateway } from '../gateways.ts';
import { newFolder } from '../media/folder.ts';
import { CLIENT_HEADERS, eventually, newAccount, queueFaults, servedEnvironment } from '../support.ts';

/** Time limits of sockets are fifty times as short: 2.4 s for readers. */
const FAST_SOCKETS = `data:text/javascript,
  import { Socket } from 'node:net';
  const { setTimeout } = Socket.prototype;
  Socket.prototype.setTimeout = function (ms, ...rest) { return setTimeout.call(this, ms / 50, ...rest); };`;
/** More than the buffers between two processes hold. */
const FILE_BYTES = 64 * 1024 * 1024;
const NAME = 'videos/2026/11/25/film.mp4';

let gateway: RunningNodeGateway;
const account = newAccount();
beforeAll(async () => {
  const folder = newFolder();
  mkdirSync(join(folder, 'videos/2026/11/25'), { recursive: true });
  writeFileSync(join(folder, NAME), new Uint8Array(FILE_BYTES));
  const env = await servedEnvironment({ MEDIA_DIR: folder, OPENAI_API_KEY: account });
  gateway = await startNodeGateway(env, undefined, undefined, ['--import', FAST_SOCKETS]);
});
afterAll(() => gateway.close());

function countSockets(): number {
  const folder = `/proc/${gateway.pid}/fd`;
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}

/** Asks for the film, and has not read more than its beginning. */
async function startReading() {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.write(`GET /media/${NAME} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nConnection: close\r\n\r\n`);
  const [first] = (await once(socket, 'data')) as [Buffer];
  socket.pause();
  return { socket, first };
}

test('a reader that stops reading loses its connection', async () => {
  const before = countSockets();
  const { socket } = await startReading();
  expect(countSockets()).toBe(before + 1);
  await eventually(() => countSockets() === before);
  socket.destroy();
});

test('a reader that is slow and steady gets everything', async () => {
  const { socket, first } = await startReading();
  const startMs = Date.now();
  let bytes = first.byteLength - first.indexOf('\r\n\r\n') - 4;
  for await (const chunk of socket) {
    bytes += chunk.byteLength;
    await sleep(3);
  }
  expect(bytes).toBe(FILE_BYTES);
  expect(Date.now() - startMs).toBeGreaterThan(2_400);
});

test('a connection that asks for more than it takes is closed, and holds nothing', async () => {
  const { hostname, port } = new URL(gateway.url);
  const before = countSockets();
  const socket = connect(Number(port), hostname);
  // It may be reset.
  socket.on('error', () => {});
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength;
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(`GET /media/${NAME} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`.repeat(500));
  await closed;
  expect(bytes).toBeLessThan(FILE_BYTES);
  await eventually(() => countSockets() === before);
});

test('a connection that is kept alive, and not used, is closed as before', async () => {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  socket.write(`GET /health HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
  expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 200.*keep-alive/is);
  await once(socket, 'close');
});

test('whoever waits for a response that is being made does not', async () => {
  await queueFaults(account, [{ delayMs: 4_000 }]);
  const params = { name: 'chat_completion', arguments: { prompt: 'Take your time.' } };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  const response = await fetch(`${gateway.url}/mcp`, { method: 'POST', headers: CLIENT_HEADERS, body });
  expect(await response.text()).toContain('Take your time.');
});
