import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { FAST } from './clock.ts';

/** What the server behind would have responded. */
export type TrueResponse = Readonly<{ status: number; headers: OutgoingHttpHeaders; body: Buffer }>;

export type Exchange = Readonly<{
  role: 'upstream' | 'storage';
  request: IncomingMessage;
  response: ServerResponse;
  /** Passes the request on; its response is for the fault to spoil. */
  forward: () => Promise<TrueResponse>;
}>;

type Misbehave = (exchange: Exchange) => Promise<void> | void;

const HUGE_BYTES = 300 * 1024 ** 2;
/** One byte in two seconds, by the gateway's clock. */
const DRIP_MS = 2_000 / FAST;
/** So that what was sent before a reset is read before it. */
const ARRIVAL_MS = 50;
const AZURE_CODES: Readonly<Record<number, string>> = {
  400: 'InvalidQueryParameterValue',
  401: 'NoAuthenticationInformation',
  403: 'AuthenticationFailed',
  429: 'ServerBusy',
  500: 'InternalError',
  503: 'ServerBusy',
};

/** Every fault: all but the last five come instead of the true response, and the request is not passed on. */
export const FAULTS = {
  '400': status(400),
  '401': status(401),
  '403': status(403),
  '429': status(429),
  '429, wait 2 s': status(429, 2),
  '429, wait 60 s': status(429, 60),
  '500': status(500),
  '503': status(503),
  hang: ({ request }) => void request.resume(),
  'reset before headers': ({ request }) => void request.socket.resetAndDestroy(),
  'HTML with 200': (exchange) => reply(exchange, 200, 'text/html', `<!doctype html><title>Sign in</title><p>${secretOf(exchange)}</p>`),
  'bad JSON': (exchange) => reply(exchange, 200, 'application/json', `{"id": "${secretOf(exchange)}", "choices": [{`),
  'reset after headers': resetAfterHeaders,
  'half a body': sendHalf,
  drip,
  '300 MB': sendHuge,
} satisfies Record<string, Misbehave>;

export type FaultName = keyof typeof FAULTS;

/** A refusal in the words of the service, which quotes a secret wherever a careless server might. */
function status(status: number, retryAfterSeconds?: number): Misbehave {
  return (exchange) => {
    const secret = secretOf(exchange);
    const headers: OutgoingHttpHeaders = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
    if (exchange.role === 'upstream') {
      const error = { message: `The request of ${secret} failed.`, type: secret, code: secret, param: secret };
      return reply(exchange, status, 'application/json', JSON.stringify({ error }), headers);
    }
    const code = AZURE_CODES[status] ?? '';
    const xml = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${secret}</Message></Error>`;
    return reply(exchange, status, 'application/xml', xml, { ...headers, 'x-ms-error-code': code, 'x-ms-request-id': crypto.randomUUID() });
  };
}

/** The key that came with the request, or the URL with its signature. */
function secretOf({ role, request }: Exchange): string {
  return role === 'upstream' ? (request.headers.authorization ?? '').replace('Bearer ', '') : (request.url ?? '');
}

function reply({ response }: Exchange, status: number, contentType: string, body: string, headers: OutgoingHttpHeaders = {}): void {
  response.writeHead(status, { ...headers, 'content-type': contentType }).end(body);
}

async function resetAfterHeaders({ request, response, forward }: Exchange): Promise<void> {
  const { status, headers, body } = await forward();
  response.writeHead(status, { ...headers, 'content-length': body.byteLength + 1 }).flushHeaders();
  await sleep(ARRIVAL_MS);
  request.socket.resetAndDestroy();
}

async function sendHalf({ request, response, forward }: Exchange): Promise<void> {
  const { status, headers, body } = await forward();
  response.writeHead(status, { ...headers, 'content-length': body.byteLength + 1 });
  response.write(body.subarray(0, body.byteLength / 2));
  response.flushHeaders();
  await sleep(ARRIVAL_MS);
  request.socket.destroySoon();
}

/** The true response byte by byte, and then its last byte for ever. */
async function drip({ response, forward }: Exchange): Promise<void> {
  const { status, headers, body } = await forward();
  response.writeHead(status, headers).flushHeaders();
  for (let sent = 0; !response.destroyed; sent++) {
    response.write(body.subarray(Math.min(sent, body.byteLength - 1)).subarray(0, 1));
    await sleep(DRIP_MS);
  }
}

/** The true response made longer: an image within its base64, anything else before its last byte. */
async function sendHuge({ response, forward }: Exchange): Promise<void> {
  const { status, headers, body } = await forward();
  const isImage = body.includes('"b64_json"');
  const at = isImage ? Math.floor(body.byteLength / 2) : Math.max(0, body.byteLength - 1);
  response.writeHead(status, headers);
  await pipeline(Readable.from(stretch(body, at, isImage ? 'A' : ' ')), response);
}

function* stretch(body: Buffer, at: number, filling: string): Generator<Buffer> {
  const fill = Buffer.alloc(64 * 1024, filling);
  yield body.subarray(0, at);
  for (let sent = 0; sent < HUGE_BYTES; sent += fill.byteLength) yield fill;
  yield body.subarray(at);
}
