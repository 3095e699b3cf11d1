import { parseJSONRPCMessage, type Transport } from '@modelcontextprotocol/server';
import { EVENT_STREAM_HEADERS, encodeEvent, KEEP_ALIVE } from './event-stream.ts';
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
/** Events that wait because their client has stopped reading. */
const MAX_UNREAD_EVENTS = 1_000;

export type SseSessionOptions = Readonly<{
  sessionId: string;
  createServer: CreateServer;
  /** Milliseconds since the epoch. */
  now: () => number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** How long the stream may be silent while a call waits, if not as long as otherwise. */
  keepAliveMs: number;
  /** Whether calls wait. */
  isBusy: () => boolean;
  onClose: () => void;
}>;

export type SseSession = Readonly<{
  /** The answer to the GET that opened the session: the stream, which lives as long as the session does. */
  response: Response;
  /** Takes a message in; what it leads to is sent to the stream. False when it is no JSON-RPC message. */
  receive: (message: object, exchange: Exchange) => boolean;
  /** Ends the stream, and stops the calls that have not been answered. */
  close: () => Promise<void>;
}>;

/**
 * One session of the HTTP+SSE transport (specification 2024-11-05, basic/transports): a stream whose first event names
 * the URL to which the client posts its messages. When the stream ends, so do the session and its work.
 */
export async function openSseSession(options: SseSessionOptions): Promise<SseSession> {
  const { sessionId, createServer, now, sleep, keepAliveMs, isBusy, onClose } = options;
  const server = createServer(SSE_PROTOCOL_VERSION);
  const closed = new AbortController();
  let lastMessageMs = now();
  let lastWriteMs = now();
  let stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      stream = controller;
    },
    cancel: () => server.close(),
  });

  function write(frame: Uint8Array): void {
    if (closed.signal.aborted) return;
    lastWriteMs = now();
    stream?.enqueue(frame);
    if ((stream?.desiredSize ?? 0) < -MAX_UNREAD_EVENTS) void server.close();
  }

  const transport: Transport = {
    sessionId,
    start: async () => write(encodeEvent('endpoint', `/messages?sessionId=${sessionId}`)),
    async send(message) {
      lastMessageMs = now();
      write(encodeEvent('message', JSON.stringify(message)));
    },
    async close() {
      if (closed.signal.aborted) return;
      closed.abort();
      onClose();
      transport.onclose?.();
      try {
        stream?.close();
      } catch {
        // The client has closed it.
      }
    },
  };

  async function beat(): Promise<void> {
    while (!closed.signal.aborted) {
      await sleep(Math.min(keepAliveMs, MAX_SILENCE_MS), closed.signal);
      if (now() - lastMessageMs > IDLE_MS) await server.close();
      if (isBusy() || now() - lastWriteMs >= MAX_SILENCE_MS) write(KEEP_ALIVE);
    }
  }

  await server.connect(transport);
  // Ends by the rejection of its sleep.
  beat().catch(() => {});
  return {
    response: new Response(body, { headers: EVENT_STREAM_HEADERS }),
    receive(message, exchange) {
      lastMessageMs = now();
      const refusal = refuseCall(message);
      if (refusal) void transport.send(refusal);
      else {
        const parsed = parse(message);
        if (!parsed) return false;
        transport.onmessage?.(parsed, { authInfo: toAuthInfo(exchange) });
      }
      return true;
    },
    close: () => server.close(),
  };
}

function parse(message: object) {
  try {
    return parseJSONRPCMessage(message);
  } catch {
    return undefined;
  }
}
