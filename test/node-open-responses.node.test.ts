import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, test } from 'vitest';
import { MAX_PIPELINED_REQUESTS } from '../src/limits.ts';
import { trackOpenResponses } from '../src/node-open-responses.ts';
import { eventually } from './support.ts';

/** A server that answers when it is told to, and one connection to it. */
async function setUp() {
  const waiting: ServerResponse[] = [];
  const closed: ServerResponse[] = [];
  const server = createServer((_, response) => {
    waiting.push(response);
    response.once('close', () => closed.push(response));
  });
  const open = trackOpenResponses(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  return {
    server,
    open,
    waiting,
    closed,
    socket,
    send: (count: number) => socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(count)),
  };
}

test('of requests that wait behind another, nothing is left when their client leaves', async () => {
  const { server, open, waiting, closed, socket, send } = await setUp();
  send(3);
  await eventually(() => open.size === 3);
  socket.destroy();
  await eventually(() => open.size === 0);
  expect(new Set(closed)).toEqual(new Set(waiting));
  server.close();
});

test('as many requests as may wait are answered in turn; with more, the connection is closed', async () => {
  const { server, waiting, socket, send } = await setUp();
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  for (const round of [1, 2]) {
    send(MAX_PIPELINED_REQUESTS);
    await eventually(() => waiting.length === MAX_PIPELINED_REQUESTS);
    for (const response of waiting.splice(0).reverse()) response.end('answer');
    await eventually(() => received.split('answer').length - 1 === round * MAX_PIPELINED_REQUESTS);
  }
  // It may be reset.
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  send(MAX_PIPELINED_REQUESTS + 1);
  await closed;
  server.close();
});
