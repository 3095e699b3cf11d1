import type { Exchange } from './exchange.ts';
import type { SseSession } from './sse-session.ts';

/** Each holds a connection and some kilobytes; a gateway for a team is far below. */
export const MAX_SESSIONS = 1_000;

/** Where the open sessions are. `owner` is the id of the principal that opened a session. */
export type SseSessions = Readonly<{
  /** Opens a session and answers with its stream; `undefined` when there are too many. */
  open: (owner: string) => Promise<Response | undefined>;
  deliver: (delivery: SseDelivery) => Promise<SseDeliveryOutcome>;
}>;

export type SseDelivery = Readonly<{ sessionId: string; message: object; exchange: Exchange }>;

/** `unknown`: there is no such session, or it is another owner's. `invalid`: the message is no JSON-RPC, or its id is in use. */
export type SseDeliveryOutcome = 'accepted' | 'unknown' | 'invalid';

/** Opens one session of which the caller keeps track; `onClose` tells when it has ended. */
export type OpenSseSession = (sessionId: string, onClose: () => void) => Promise<SseSession>;

/** An open session, and whose it is. */
export type OwnedSession = Readonly<{ owner: string; session: SseSession }>;

/** Gives a message to the session that it was sent to, if there is one and it is the sender's. */
export function deliverTo(entry: OwnedSession | undefined, { message, exchange }: SseDelivery): SseDeliveryOutcome {
  if (entry?.owner !== exchange.principal.id) return 'unknown';
  return entry.session.receive(message, exchange) ? 'accepted' : 'invalid';
}

/** Sessions in the memory of the one process that serves all requests. */
export function createMemorySessions(openSession: OpenSseSession, randomUUID: () => string): SseSessions & { closeAll: () => void } {
  const sessions = new Map<string, OwnedSession>();
  return {
    async open(owner) {
      if (sessions.size >= MAX_SESSIONS) return undefined;
      const sessionId = randomUUID();
      const session = await openSession(sessionId, () => sessions.delete(sessionId));
      sessions.set(sessionId, { owner, session });
      return session.response;
    },
    deliver: async (delivery) => deliverTo(sessions.get(delivery.sessionId), delivery),
    closeAll() {
      for (const { session } of sessions.values()) void session.close();
    },
  };
}
