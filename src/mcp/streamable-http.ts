import {
  createMcpHandler,
  type HandleRequestOptions,
  isLegacyRequest,
  ProtocolErrorCode,
  type Server,
  WebStandardStreamableHTTPServerTransport,
  type WebStandardStreamableHTTPServerTransportOptions,
} from '@modelcontextprotocol/server';
import type { Principal } from '../auth/principal.ts';
import type { Runtime } from '../ports.ts';
import { isEventStream, onBodyEnd } from '../streams/on-end.ts';
import { cancelledId } from './cancelled-id.ts';
import { createDelivery, type Delivery } from './delivery.ts';
import { type Exchange, toAuthInfo } from './exchange.ts';
import { answerPlainCall, isPlainCall } from './plain-call.ts';
import { rejectMalformedCall } from './reject-malformed-call.ts';
import { createRememberedLists } from './remembered-lists.ts';
import type { CreateServer } from './server.ts';
import { type StreamIfSlowOptions, streamIfSlow } from './stream-if-slow.ts';

type SizedStream = NonNullable<Runtime['sizedStream']>;

export type StreamableHttpOptions = StreamIfSlowOptions &
  Readonly<{
    /** How long a response on whose delivery something depends stays open after its last byte; see `Runtime`. */
    lastByteMs: number;
    sizedStream?: SizedStream | undefined;
    /** Receives errors that the SDK reports outside its responses, for the log. */
    onError: (error: Error) => void;
    /** A client has cancelled the call with this JSON-RPC id, which it made in another request. Never rejects. */
    onCancelled: (principal: Principal, rpcId: string | number) => Promise<void>;
    /** Receives errors that the client sees as "Internal error", for the log. */
    onBug: (error: Error, requestId: string) => void;
  }>;

/** Handles one POST whose body has been read and parsed. */
export type StreamableHttp = (request: Request, parsedBody: object, exchange: Exchange) => Promise<Response>;

/**
 * Stateless Streamable HTTP for every protocol revision. Each request gets its own server, because a shared one would
 * send responses to the wrong client. A request without a progress token gets plain JSON, unless it is slow.
 */
export function createStreamableHttp(createServer: CreateServer, options: StreamableHttpOptions): StreamableHttp {
  const { clock, heartbeatMs, lastByteMs, sizedStream, onError } = options;
  const modern = createMcpHandler(() => createServer(), {
    legacy: 'reject',
    responseMode: 'auto',
    keepAliveMs: heartbeatMs,
    onerror: onError,
  });

  async function handle(request: Request, parsedBody: object, exchange: Exchange, delivery: Delivery): Promise<Response> {
    if (isPlainCall(parsedBody, request)) return answerPlainCall(createServer(), request, parsedBody, exchange, delivery);
    const message = { parsedBody, authInfo: toAuthInfo(exchange, delivery) };
    if (!(await isLegacyRequest(request, parsedBody))) return modern.fetch(request, message);
    const enableJsonResponse = !hasProgressToken(parsedBody);
    return handleLegacy(createServer(), request, message, { enableJsonResponse, keepAliveMs: heartbeatMs });
  }

  const lists = createRememberedLists();

  return async (request, parsedBody, exchange) => {
    const list = lists.find(request, parsedBody, exchange);
    if (!list) return answer(request, parsedBody, exchange);
    return 'response' in list ? list.response : list.remember(await answer(request, parsedBody, exchange));
  };

  async function answer(request: Request, parsedBody: object, exchange: Exchange): Promise<Response> {
    const rejection = rejectMalformedCall(parsedBody);
    if (rejection) return Response.json(rejection, { status: 400 });
    const cancelled = cancelledId(parsedBody);
    if (cancelled !== undefined) await options.onCancelled(exchange.principal, cancelled);
    const delivery = createDelivery();
    const response = await streamIfSlow(handle(withAccept(request), parsedBody, exchange, delivery).catch(failed), options);
    // Of a stream, the handler may still be at work.
    if (!isEventStream(response) && !delivery.isWanted()) return response;
    if (!isEventStream(response) && sizedStream) return holdOpen(response, sizedStream, delivery, request);
    const pause = async () => {
      if (delivery.isWanted()) await clock.sleep(lastByteMs);
    };
    return onBodyEnd(response, (isWhole) => delivery.settle(isWhole && !request.signal.aborted), pause);

    function failed(error: Error): Response {
      options.onBug(error, exchange.requestId);
      const { id = null } = parsedBody as { id?: unknown };
      const internal = { code: ProtocolErrorCode.InternalError, message: 'Internal error.', data: { request_id: exchange.requestId } };
      return Response.json({ jsonrpc: '2.0', id, error: internal }, { status: 500 });
    }
  }

  /** With its length declared, the client has its answer although the response is still open. */
  async function holdOpen(response: Response, sizedStream: SizedStream, delivery: Delivery, { signal }: Request): Promise<Response> {
    const bytes = new Uint8Array(await response.arrayBuffer());
    const { readable, writable } = sizedStream(bytes.byteLength);
    const writer = writable.getWriter();
    async function write(): Promise<void> {
      await writer.write(bytes);
      await clock.sleep(lastByteMs);
      await writer.close();
    }
    write().then(
      () => delivery.settle(!signal.aborted),
      () => delivery.settle(false),
    );
    return new Response(readable, response);
  }
}

/** Handles requests of 2025-11-25 and earlier, for which the SDK's own handler always responds with a stream. */
async function handleLegacy(
  server: Server,
  request: Request,
  message: HandleRequestOptions,
  options: WebStandardStreamableHTTPServerTransportOptions,
): Promise<Response> {
  const transport = new WebStandardStreamableHTTPServerTransport(options);
  await server.connect(transport);
  const disconnected = Promise.withResolvers<Response>();
  const stop = () => {
    void server.close();
    disconnected.resolve(new Response(null, { status: 499 }));
  };
  request.signal.addEventListener('abort', stop, { once: true });
  if (request.signal.aborted) stop();
  const response = await Promise.race([transport.handleRequest(request, message), disconnected.promise]);
  const settle = () => request.signal.removeEventListener('abort', stop);
  // While a stream is open, its client may still disconnect. On workerd, the stream learns of that before the signal does.
  if (isEventStream(response)) return onBodyEnd(response, (isWhole) => (isWhole ? settle() : stop()));
  settle();
  return response;
}

function hasProgressToken(message: object): boolean {
  return (message as { params?: { _meta?: { progressToken?: unknown } } }).params?._meta?.progressToken !== undefined;
}

/** The SDK requires both media types in Accept, in lower case; tools such as curl send a wildcard. */
function withAccept(request: Request): Request {
  const given = request.headers.get('accept') ?? '*/*';
  const accept = given.includes('*/*') ? 'application/json, text/event-stream' : given.toLowerCase();
  if (accept === given) return request;
  const headers = new Headers(request.headers);
  headers.set('accept', accept);
  return new Request(request.url, { method: request.method, headers, signal: request.signal });
}
