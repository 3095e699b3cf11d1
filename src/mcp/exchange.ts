import type { AuthInfo, ServerContext } from '@modelcontextprotocol/server';
import type { Principal } from '../auth/principal.ts';
import type { Delivery } from './delivery.ts';

/** The HTTP request context that reaches the handlers alongside the message. */
export type Exchange = Readonly<{
  requestId: string;
  principal: Principal;
  /** The base URL under which the client reaches the gateway; `undefined` if that is not known. */
  publicUrl?: string | undefined;
  /** What the headers say, for a trace. */
  trace?: Readonly<{ parent: string | undefined; protocolVersion: string | undefined }> | undefined;
}>;

/**
 * Wraps the exchange, and the delivery of its response, in the SDK's `AuthInfo`, without the token: the SDK offers no
 * other way to pass per-message context to handlers.
 */
export function toAuthInfo(exchange: Exchange, delivery: Delivery): AuthInfo {
  return { token: '', clientId: exchange.principal.id, scopes: [], extra: { exchange, delivery } };
}

export function exchangeOf({ http }: ServerContext): Exchange {
  return http?.authInfo?.extra?.exchange as Exchange;
}
