import { once } from 'node:events';
import { createServer, type IncomingMessage, request as sendRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Exchange, FAULTS, type FaultName, type TrueResponse } from './misbehave.ts';
import type { Pace } from './pace.ts';

/** What a server does wrong, to which requests, and how often; without `times`, for good. */
export type ArmedFault = Readonly<{
  fault: FaultName;
  /** `request`: its method and URL, such as `PUT /media/a.png?sig=…`. */
  matches: (request: string) => boolean;
  times?: number | undefined;
}>;

export type HostileServer = Readonly<{
  url: string;
  /** What it has received: method and URL of each request. */
  requests: readonly string[];
  close: () => void;
}>;

const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding'];

/** A server on loopback in front of another one: it passes everything on, except what the fault is armed for. */
export async function startHostileServer(role: Exchange['role'], target: string, pace: Pace, armed?: ArmedFault): Promise<HostileServer> {
  const requests: string[] = [];
  let hits = 0;
  const server = createServer((request, response) => {
    const line = `${request.method} ${request.url}`;
    requests.push(line);
    // The gateway may go away at any moment.
    for (const side of [request, response]) side.on('error', () => {});
    const hit = armed?.matches(line) && hits < (armed.times ?? Number.POSITIVE_INFINITY) ? ++hits : 0;
    const exchange = { role, request, response, forward: () => pace.during(() => forward(target, request)) };
    const work = armed && hit > 0 ? misbehave(armed, hit, exchange, pace) : passOn(exchange);
    work.catch(() => response.destroy());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, close };
}

/** The fault begins with the first request that it hits, and ends with the last one. */
async function misbehave({ fault, times }: ArmedFault, hit: number, exchange: Exchange, pace: Pace): Promise<void> {
  if (hit === 1) await pace.begin();
  // One that hangs is over when the gateway gives up.
  if (hit === times && fault === 'hang') exchange.response.once('close', () => pace.end().catch(() => {}));
  else if (hit === times) await pace.end();
  await FAULTS[fault](exchange);
}

async function passOn({ response, forward }: Exchange): Promise<void> {
  const { status, headers, body } = await forward();
  response.writeHead(status, headers).end(body);
}

/** Sends the request on as it is; resolves with the whole response, without what belongs to its connection alone. */
async function forward(target: string, incoming: IncomingMessage): Promise<TrueResponse> {
  const { hostname, port } = new URL(target);
  const { method, url: path, rawHeaders: headers } = incoming;
  const outgoing = sendRequest({ hostname, port, method, path, headers, agent: false });
  incoming.on('error', () => outgoing.destroy());
  outgoing.on('error', () => {});
  incoming.pipe(outgoing);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  // The body may become another one; that of HEAD is known by its length alone.
  const dropped = method === 'HEAD' ? HOP_BY_HOP : [...HOP_BY_HOP, 'content-length'];
  const kept = Object.entries(response.headers).filter(([name]) => !dropped.includes(name));
  return { status: response.statusCode ?? 502, headers: Object.fromEntries(kept), body: Buffer.concat(chunks) };
}
