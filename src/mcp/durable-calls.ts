import { ProtocolErrorCode } from '@modelcontextprotocol/server';
import type { Log } from '../log.ts';
import type { Exchange } from './exchange.ts';
import type { SessionNamespace } from './sse-durable-sessions.ts';
import type { StreamableHttp } from './streamable-http.ts';

/** Has the message of a POST handled where the record of its job is. */
export type ForwardCall = (place: string, request: Request, message: object, exchange: Exchange) => Promise<Response>;

type ForwardedCall = Readonly<{ message: object; exchange: Exchange }>;

/** Of the body that has been read, and of the caller who is known. */
const DROPPED_HEADERS = ['authorization', 'content-encoding', 'content-length', 'transfer-encoding'];

/**
 * Calls in Durable Objects, one for each place, so that their work outlives their client. Identical calls meet in one
 * object. It gets the exchange in the body, where no client can put one.
 */
export function createCallForwarder(namespace: SessionNamespace, log: Pick<Log, 'warn'>): ForwardCall {
  return async (place, request, message, exchange) => {
    const headers = new Headers(request.headers);
    for (const name of DROPPED_HEADERS) headers.delete(name);
    const body = JSON.stringify({ message, exchange } satisfies ForwardedCall);
    const forwarded = new Request(request.url, { method: 'POST', headers, body, signal: request.signal });
    try {
      return await namespace.get(namespace.idFromName(place)).fetch(forwarded);
    } catch (error) {
      if (request.signal.aborted) throw error;
      log.warn('job_object_lost', { request_id: exchange.requestId, error: String(error) });
      return lost(message, exchange);
    }
  };
}

/** Such as when a new version is deployed. */
function lost(message: object, { requestId }: Exchange): Response {
  const { id = null } = message as { id?: unknown };
  const error = {
    code: ProtocolErrorCode.InternalError,
    message:
      'The call was interrupted and may have been billed. Repeat it with the same arguments: it collects the result, or reports that there is none.',
    data: { request_id: requestId },
  };
  return Response.json({ jsonrpc: '2.0', id, error }, { status: 503 });
}

/** The object's side: handles what `createCallForwarder` sends. */
export function serveForwardedCalls(streamableHttp: StreamableHttp): (request: Request) => Promise<Response> {
  return async (request) => {
    const { message, exchange } = (await request.json()) as ForwardedCall;
    return streamableHttp(request, message, exchange);
  };
}
