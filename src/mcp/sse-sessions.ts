import type { Exchange } from './exchange.ts';
import type { SseSession } from './sse-session.ts';

/** Each holds a connection and a few kilobytes; a team's gateway stays far below. */
export const MAX_SESSIONS = 1_000;

/** The registry of open sessions. `owner` is the id of the principal that opened a session. */
export type SseSessions = Readonly<{
  /** Opens a session and returns its stream as the response; `undefined` at the limit. */
  open: (owner: string) => Promise<Response | undefined>;
  deliver: (delivery: SseDelivery) => Promise<SseDeliveryOutcome>;
}>;

export type SseDelivery = Readonly<{ sessionId: string; message: object; exchange: Exchange }>;

/** `unknown`: no such session, or it has another owner. `invalid`: the message is not JSON-RPC, or its id is in use. */
export type SseDeliveryOutcome = 'accepted' | 'unknown' | 'invalid';

/** Opens a session for the caller to track; `onClose` is called when it ends. */
export type OpenSseSession = (sessionId: string, onClose: () => void) => Promise<SseSession>;

/** An open session and its owner. */
export type OwnedSession = Readonly<{ owner: string; session: SseSession }>;

/** Delivers a message to its session, if that exists and belongs to the sender. */
export function deliverTo(entry: OwnedSession | undefined, { message, exchange }: SseDelivery): SseDeliveryOutcome {
  if (entry?.owner !== exchange.principal.id) return 'unknown';
  return entry.session.receive(message, exchange) ? 'accepted' : 'invalid';
}

/** In-memory sessions, for a single process that serves all requests. */
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
