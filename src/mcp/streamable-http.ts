import {
  createMcpHandler,
  type HandleRequestOptions,
  isLegacyRequest,
  ProtocolErrorCode,
  type Server,
  WebStandardStreamableHTTPServerTransport,
  type WebStandardStreamableHTTPServerTransportOptions,
} from '@modelcontextprotocol/server';
import { onBodyEnd } from '../streams/on-end.ts';
import { type Exchange, toAuthInfo } from './exchange.ts';
import { refuseCall } from './refuse-call.ts';
import type { CreateServer } from './server.ts';
import { type StreamIfSlowOptions, streamIfSlow } from './stream-if-slow.ts';

export type StreamableHttpOptions = StreamIfSlowOptions &
  Readonly<{
    /** Told of what the SDK reports besides its answers; for the log. */
    onError: (error: Error) => void;
    /** Told of what the client gets as "Internal error"; for the log. */
    onBug: (error: Error, requestId: string) => void;
  }>;

/** Answers one POST whose body has been read and parsed. */
export type StreamableHttp = (request: Request, parsedBody: object, exchange: Exchange) => Promise<Response>;

/**
 * Streamable HTTP for every protocol revision, stateless: each request gets a server of its own, because a shared one
 * sends answers to the wrong client. A request without a progress token is answered as plain JSON, unless it takes long.
 */
export function createStreamableHttp(createServer: CreateServer, options: StreamableHttpOptions): StreamableHttp {
  const { heartbeatMs, onError } = options;
  const modern = createMcpHandler(() => createServer(), {
    legacy: 'reject',
    responseMode: 'auto',
    keepAliveMs: heartbeatMs,
    onerror: onError,
  });

  async function answer(request: Request, parsedBody: object, exchange: Exchange): Promise<Response> {
    const message = { parsedBody, authInfo: toAuthInfo(exchange) };
    if (!(await isLegacyRequest(request, parsedBody))) return modern.fetch(request, message);
    const enableJsonResponse = !hasProgressToken(parsedBody);
    return answerLegacy(createServer(), request, message, { enableJsonResponse, keepAliveMs: heartbeatMs });
  }

  return async (request, parsedBody, exchange) => {
    const refusal = refuseCall(parsedBody);
    if (refusal) return Response.json(refusal, { status: 400 });
    return streamIfSlow(answer(withAccept(request), parsedBody, exchange).catch(failed), options);

    function failed(error: Error): Response {
      options.onBug(error, exchange.requestId);
      const { id = null } = parsedBody as { id?: unknown };
      const internal = { code: ProtocolErrorCode.InternalError, message: 'Internal error.', data: { request_id: exchange.requestId } };
      return Response.json({ jsonrpc: '2.0', id, error: internal }, { status: 500 });
    }
  };
}

/** A request of 2025-11-25 or before, which the SDK's own handler would always answer with a stream. */
async function answerLegacy(
  server: Server,
  request: Request,
  message: HandleRequestOptions,
  options: WebStandardStreamableHTTPServerTransportOptions,
): Promise<Response> {
  const transport = new WebStandardStreamableHTTPServerTransport(options);
  await server.connect(transport);
  const gone = Promise.withResolvers<Response>();
  const stop = () => {
    void server.close();
    gone.resolve(new Response(null, { status: 499 }));
  };
  request.signal.addEventListener('abort', stop, { once: true });
  if (request.signal.aborted) stop();
  const response = await Promise.race([transport.handleRequest(request, message), gone.promise]);
  // A stream is one whose client may still go away.
  return onBodyEnd(response, () => request.signal.removeEventListener('abort', stop));
}

function hasProgressToken(message: object): boolean {
  return (message as { params?: { _meta?: { progressToken?: unknown } } }).params?._meta?.progressToken !== undefined;
}

/** The SDK wants both media types named in Accept, in lower case; tools such as curl say that they take anything. */
function withAccept(request: Request): Request {
  const given = request.headers.get('accept') ?? '*/*';
  const accept = given.includes('*/*') ? 'application/json, text/event-stream' : given.toLowerCase();
  if (accept === given) return request;
  const headers = new Headers(request.headers);
  headers.set('accept', accept);
  return new Request(request.url, { method: request.method, headers, signal: request.signal });
}
