import {
  isJSONRPCRequest,
  isJSONRPCResponse,
  type JSONRPCMessage,
  type MessageExtraInfo,
  ProtocolErrorCode,
  type RequestId,
  type Server,
  type Transport,
} from '@modelcontextprotocol/server';
import type { Principal } from '../auth/principal.ts';
import { type Pace, tooManyCalls } from '../usage/pace.ts';
import { cancelledId } from './cancelled-id.ts';
import { createDelivery, type Delivery } from './delivery.ts';
import { toAuthInfo } from './exchange.ts';
import { rejectMalformedCall } from './reject-malformed-call.ts';

export type StdioServerOptions = Readonly<{
  /** The one client of the process. */
  principal: Principal;
  /** The base URL under which a port is served besides; `undefined`: there is none. */
  publicUrl: () => string | undefined;
  randomUUID: () => string;
  pace: Pace;
  /** Why no new calls are taken at this moment, in words for a client. */
  refusal: () => string | undefined;
}>;

/**
 * Has a server know whose its messages are: over stdio, nothing says so, and what the SDK's `serveStdio` connects a server
 * to passes on nothing but messages.
 */
export function ofOnePrincipal(server: Server, options: StdioServerOptions): Server {
  const connect = server.connect.bind(server);
  server.connect = (channel) => connect(withExchange(channel, options));
  return server;
}

function withExchange(channel: Transport, { principal, publicUrl, randomUUID, pace, refusal }: StdioServerOptions): Transport {
  const deliveries = new Map<RequestId, Delivery>();

  function settle(id: RequestId | undefined, isDelivered: boolean): void {
    if (id === undefined) return;
    deliveries.get(id)?.settle(isDelivered);
    deliveries.delete(id);
  }

  const transport: Transport = {
    start: () => channel.start(),
    async send(message, options) {
      const id = isJSONRPCResponse(message) ? message.id : undefined;
      await channel.send(message, options).catch((error) => {
        settle(id, false);
        throw error;
      });
      settle(id, true);
    },
    close: () => channel.close(),
    setProtocolVersion: (version) => channel.setProtocolVersion?.(version),
  };

  async function findRejection(message: JSONRPCMessage, requestId: string): Promise<JSONRPCMessage | undefined> {
    if (!isJSONRPCRequest(message) || message.method !== 'tools/call') return undefined;
    const answer = (code: number, text: string): JSONRPCMessage => ({
      jsonrpc: '2.0',
      id: message.id,
      error: { code, message: text, data: { request_id: requestId } },
    });
    const refused = refusal();
    if (refused !== undefined) return answer(ProtocolErrorCode.InternalError, refused);
    const malformed = rejectMalformedCall(message);
    const { callsPerMinute } = principal.limits;
    if (malformed || callsPerMinute === undefined) return malformed;
    const { limit, waitSeconds } = await pace.count(principal.id, callsPerMinute);
    return waitSeconds === undefined ? undefined : { jsonrpc: '2.0', id: message.id, error: tooManyCalls(limit, waitSeconds, requestId) };
  }

  async function receive(message: JSONRPCMessage, extra: MessageExtraInfo | undefined): Promise<void> {
    const requestId = randomUUID();
    const rejection = await findRejection(message, requestId);
    if (rejection) return void channel.send(rejection).catch(() => {});
    settle(cancelledId(message), false);
    const delivery = createDelivery();
    if (isJSONRPCRequest(message)) deliveries.set(message.id, delivery);
    const authInfo = toAuthInfo({ requestId, principal, publicUrl: publicUrl() }, delivery);
    transport.onmessage?.(message, { ...extra, authInfo });
  }

  let received = Promise.resolve();
  channel.onmessage = (message, extra) => {
    // One after the other: a cancellation must not overtake its call.
    received = received.then(() => receive(message, extra)).catch((error) => channel.onerror?.(error));
  };
  channel.onerror = (error) => transport.onerror?.(error);
  channel.onclose = () => {
    for (const id of deliveries.keys()) settle(id, false);
    transport.onclose?.();
  };
  return transport;
}
