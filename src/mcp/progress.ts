import type { ServerContext } from '@modelcontextprotocol/server';

/**
 * Tells the client how far the work is, when its request carries a progress token (specification 2025-11-25,
 * basic/utilities/progress). The value only counts the messages: it has to rise, and the message says what matters.
 */
export function createProgress({ _meta, notify }: ServerContext['mcpReq']): (message: string) => void {
  const progressToken = _meta?.progressToken;
  if (progressToken === undefined) return () => {};
  let progress = 0;
  return (message) => {
    progress++;
    // A client that has gone cannot be told; the work ends through its signal.
    notify({ method: 'notifications/progress', params: { progressToken, progress, message } }).catch(() => {});
  };
}
