import {
  isJSONRPCNotification,
  isJSONRPCRequest,
  isJSONRPCResponse,
  type JSONRPCMessage,
  parseJSONRPCMessage,
  type RequestId,
  type Transport,
} from '@modelcontextprotocol/server';
import type { Clock } from '../ports.ts';
import { createEventStream, encodeEvent } from './event-stream.ts';
import { type Exchange, toAuthInfo } from './exchange.ts';
import { refuseCall } from './refuse-call.ts';
import type { CreateServer } from './server.ts';

/**
 * The last revision that has this transport. Clients that know later ones name in each further request the one that was
 * agreed on, so this is also how one is known that opens its stream again, from one that tries Streamable HTTP.
 */
export const SSE_PROTOCOL_VERSION = '2024-11-05';
/** Load balancers cut connections that are silent for 30 s or more. */
const MAX_SILENCE_MS = 15_000;
/** Longer than the longest call. A client that comes back later opens a new stream. */
const IDLE_MS = 30 * 60_000;

export type SseSessionOptions = Readonly<{
  sessionId: string;
  createServer: CreateServer;
  clock: Clock;
  /** How long the stream may be silent while a call waits, if not as long as otherwise. */
  heartbeatMs: number;
  onClose: () => void;
}>;

export type SseSession = Readonly<{
  /** The answer to the GET that opened the session: the stream, which lives as long as the session does. */
  response: Response;
  /** Takes a message in; what it leads to is sent to the stream. False when it is no JSON-RPC message, or its id is in use. */
  receive: (message: object, exchange: Exchange) => boolean;
  /** Ends the stream, and stops the calls that have not been answered. */
  close: () => Promise<void>;
}>;

/**
 * One session of the HTTP+SSE transport (specification 2024-11-05, basic/transports): a stream whose first event names
 * the URL to which the client posts its messages. When the stream ends, so do the session and its work.
 */
export async function openSseSession(options: SseSessionOptions): Promise<SseSession> {
  const { sessionId, createServer, clock, heartbeatMs, onClose } = options;
  const server = createServer(SSE_PROTOCOL_VERSION);
  const stream = createEventStream({ clock, onGone: () => void server.close() });
  const calls = createCallTracker((isWaiting) => stream.heartbeat(heartbeatMs, isWaiting));
  let lastMessageMs = clock.now();
  let isClosed = false;

  const transport: Transport = {
    sessionId,
    start: async () => stream.write(encodeEvent('endpoint', `/messages?sessionId=${sessionId}`)),
    async send(message) {
      lastMessageMs = clock.now();
      calls.end(message);
      stream.write(encodeEvent('message', JSON.stringify(message)));
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      stream.end();
      onClose();
      transport.onclose?.();
    },
  };

  function receive(message: object, exchange: Exchange): boolean {
    lastMessageMs = clock.now();
    const parsed = parse(message);
    if (!parsed || !calls.begin(parsed)) return false;
    const refusal = refuseCall(parsed);
    if (refusal) void transport.send(refusal);
    else transport.onmessage?.(parsed, { authInfo: toAuthInfo(exchange) });
    return true;
  }

  await server.connect(transport);
  void stream.heartbeat(MAX_SILENCE_MS, () => clock.now() - lastMessageMs <= IDLE_MS).then(() => server.close());
  return { response: stream.response, receive, close: () => server.close() };
}

/** Knows which requests wait for their answers; `heartbeat` runs as long as there are any. */
function createCallTracker(heartbeat: (isWaiting: () => boolean) => Promise<void>) {
  const waiting = new Set<RequestId>();
  let isBeating = false;

  async function beatWhileWaiting(): Promise<void> {
    if (isBeating) return;
    isBeating = true;
    await heartbeat(() => waiting.size > 0);
    isBeating = false;
  }

  return {
    /** False for a request whose id is in use: the server could stop only the last of two. */
    begin(message: JSONRPCMessage): boolean {
      if (isJSONRPCNotification(message) && message.method === 'notifications/cancelled')
        waiting.delete(message.params?.requestId as RequestId);
      if (!isJSONRPCRequest(message)) return true;
      if (waiting.has(message.id)) return false;
      waiting.add(message.id);
      void beatWhileWaiting();
      return true;
    },
    end(message: JSONRPCMessage): void {
      if (isJSONRPCResponse(message) && message.id !== undefined) waiting.delete(message.id);
    },
  };
}

function parse(message: object): JSONRPCMessage | undefined {
  try {
    return parseJSONRPCMessage(message);
  } catch {
    return undefined;
  }
}
