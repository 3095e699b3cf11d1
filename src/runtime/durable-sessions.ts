import {
  deliverTo,
  type OpenSseSession,
  type OwnedSession,
  type SseDelivery,
  type SseDeliveryOutcome,
  type SseSessions,
} from '../mcp/sse-sessions.ts';

/** What is used of a Durable Object namespace. */
export type SessionNamespace = Readonly<{
  idFromName: (name: string) => unknown;
  get: (id: unknown) => { fetch: typeof fetch };
}>;

/** The name of an object decides where it is; only names that were made here lead to one. */
const SESSION_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Sessions in Durable Objects, one in each: the requests of a client may come to different isolates, and a call must go
 * on after the POST that brought it has been answered.
 */
export function createDurableSessions(namespace: SessionNamespace, randomUUID: () => string): SseSessions {
  const send = (sessionId: string, body: object) =>
    namespace.get(namespace.idFromName(sessionId)).fetch('http://session/', { method: 'POST', body: JSON.stringify(body) });
  return {
    async open(owner) {
      const sessionId = randomUUID();
      return send(sessionId, { open: { sessionId, owner } });
    },
    async deliver(delivery) {
      if (!SESSION_ID.test(delivery.sessionId)) return 'unknown';
      const response = await send(delivery.sessionId, { deliver: delivery });
      return (await response.json()) as SseDeliveryOutcome;
    },
  };
}

type SessionRequest = { open: { sessionId: string; owner: string } } | { deliver: SseDelivery };

/** The other end of it: what the object does with the requests of `createDurableSessions`. */
export function serveDurableSession(openSession: OpenSseSession): (request: Request) => Promise<Response> {
  let current: OwnedSession | undefined;
  return async (request) => {
    const asked = (await request.json()) as SessionRequest;
    if ('deliver' in asked) return Response.json(deliverTo(current, asked.deliver));
    const { sessionId, owner } = asked.open;
    const session = await openSession(sessionId, () => {
      current = undefined;
    });
    current = { owner, session };
    return session.response;
  };
}
