import {
  isJSONRPCRequest,
  isJSONRPCResponse,
  type JSONRPCMessage,
  parseJSONRPCMessage,
  type RequestId,
  type Transport,
} from '@modelcontextprotocol/server';
import type { Clock } from '../ports.ts';
import { cancelledId } from './cancelled-id.ts';
import { createDelivery, type Delivery } from './delivery.ts';
import { createEventStream, encodeEvent } from './event-stream.ts';
import { type Exchange, toAuthInfo } from './exchange.ts';
import { rejectMalformedCall } from './reject-malformed-call.ts';
import type { CreateServer } from './server.ts';

/**
 * The last revision with this transport. Newer clients send the negotiated revision in every later request, so it also
 * distinguishes a client that reopens its stream from one that attempts Streamable HTTP.
 */
export const SSE_PROTOCOL_VERSION = '2024-11-05';
/** Load balancers close connections that are idle for 30 s or more. */
const MAX_SILENCE_MS = 15_000;
/** Longer than the longest call. A client that returns later opens a new stream. */
const IDLE_MS = 30 * 60_000;

export type SseSessionOptions = Readonly<{
  sessionId: string;
  createServer: CreateServer;
  clock: Clock;
  /** The maximum silence while a call is pending, where the runtime needs more frequent writes. */
  heartbeatMs: number;
  onClose: () => void;
}>;

export type SseSession = Readonly<{
  /** The response to the GET that opened the session: the stream, which lives as long as the session. */
  response: Response;
  /** Accepts a message; responses go to the stream. False when it is not a JSON-RPC message or its id is in use. */
  receive: (message: object, exchange: Exchange) => boolean;
  /** Ends the stream and cancels pending calls. */
  close: () => Promise<void>;
}>;

/**
 * One session of the HTTP+SSE transport (specification 2024-11-05, basic/transports): a stream whose first event is the
 * URL to which the client posts its messages. When the stream ends, the session ends and its work is cancelled.
 */
export async function openSseSession(options: SseSessionOptions): Promise<SseSession> {
  const { sessionId, createServer, clock, heartbeatMs, onClose } = options;
  const server = createServer(SSE_PROTOCOL_VERSION);
  const stream = createEventStream({ clock, onDisconnect: () => void server.close() });
  const calls = createCallTracker((isPending) => stream.heartbeat(heartbeatMs, isPending));
  const deliveries = new Map<RequestId, Delivery>();
  let lastMessageMs = clock.now();
  let isClosed = false;

  const transport: Transport = {
    sessionId,
    start: async () => stream.write(encodeEvent('endpoint', `/messages?sessionId=${sessionId}`)),
    async send(message) {
      lastMessageMs = clock.now();
      calls.end(message);
      stream.write(encodeEvent('message', JSON.stringify(message)));
      if (isJSONRPCResponse(message) && message.id !== undefined) settle(message.id);
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      stream.end();
      for (const { settle } of deliveries.values()) settle(false);
      onClose();
      transport.onclose?.();
    },
  };

  function track(message: JSONRPCMessage): Delivery {
    const delivery = createDelivery();
    if (isJSONRPCRequest(message)) deliveries.set(message.id, delivery);
    return delivery;
  }

  function settle(id: RequestId): void {
    const delivery = deliveries.get(id);
    deliveries.delete(id);
    if (delivery?.isWanted()) void stream.flushed().then(delivery.settle);
  }

  function receive(message: object, exchange: Exchange): boolean {
    lastMessageMs = clock.now();
    const parsed = parse(message);
    if (!parsed || !calls.begin(parsed)) return false;
    const cancelled = cancelledId(parsed);
    if (cancelled !== undefined) {
      // No response will follow.
      deliveries.get(cancelled)?.settle(false);
      deliveries.delete(cancelled);
    }
    const rejection = rejectMalformedCall(parsed);
    if (rejection) void transport.send(rejection);
    else transport.onmessage?.(parsed, { authInfo: toAuthInfo(exchange, track(parsed)) });
    return true;
  }

  await server.connect(transport);
  void stream.heartbeat(MAX_SILENCE_MS, () => clock.now() - lastMessageMs <= IDLE_MS).then(() => server.close());
  return { response: stream.response, receive, close: () => server.close() };
}

/** Tracks pending requests; `heartbeat` runs while there are any. */
function createCallTracker(heartbeat: (isPending: () => boolean) => Promise<void>) {
  const pending = new Set<RequestId>();
  let isBeating = false;

  async function beatWhilePending(): Promise<void> {
    if (isBeating) return;
    isBeating = true;
    await heartbeat(() => pending.size > 0);
    isBeating = false;
  }

  return {
    /** False for a request whose id is in use: of two with the same id, only the last could be cancelled. */
    begin(message: JSONRPCMessage): boolean {
      const cancelled = cancelledId(message);
      if (cancelled !== undefined) pending.delete(cancelled);
      if (!isJSONRPCRequest(message)) return true;
      if (pending.has(message.id)) return false;
      pending.add(message.id);
      void beatWhilePending();
      return true;
    },
    end(message: JSONRPCMessage): void {
      if (isJSONRPCResponse(message) && message.id !== undefined) pending.delete(message.id);
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
