/** The least that a Node server can do: it parses a JSON body and returns it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const server = createServer(async (incoming, response) => {
  let text = '';
  for await (const chunk of incoming.setEncoding('utf8')) text += chunk;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(JSON.parse(text)));
}).listen(0, '127.0.0.1', () => console.log(JSON.stringify({ event: 'listening', port: (server.address() as AddressInfo).port })));
