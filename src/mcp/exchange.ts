import type { AuthInfo, ServerContext } from '@modelcontextprotocol/server';

/** What belongs to one HTTP request, and comes to the handlers beside its message. */
export type Exchange = Readonly<{ requestId: string }>;

/** The SDK carries this beside a message to its handlers; ours holds the exchange, and not the token. */
export function toAuthInfo(exchange: Exchange): AuthInfo {
  return { token: '', clientId: 'mcp', scopes: [], extra: { exchange } };
}

export function exchangeOf({ http }: ServerContext): Exchange {
  return http?.authInfo?.extra?.exchange as Exchange;
}
