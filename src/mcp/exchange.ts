import type { AuthInfo, ServerContext } from '@modelcontextprotocol/server';
import type { Principal } from '../auth/principal.ts';

/** What belongs to one HTTP request, and comes to the handlers beside its message. */
export type Exchange = Readonly<{ requestId: string; principal: Principal }>;

/**
 * What the SDK carries beside a message to its handlers: who has sent it, and the rest of the exchange, but not the token.
 * It has no other place for what belongs to one message.
 */
export function toAuthInfo(exchange: Exchange): AuthInfo {
  return { token: '', clientId: exchange.principal.id, scopes: [], extra: { exchange } };
}

export function exchangeOf({ http }: ServerContext): Exchange {
  return http?.authInfo?.extra?.exchange as Exchange;
}
