import {
  deliverTo,
  MAX_SESSIONS,
  type OpenSseSession,
  type OwnedSession,
  type SseDelivery,
  type SseDeliveryOutcome,
  type SseSessions,
} from './sse-sessions.ts';

/** The subset of a Durable Object namespace used here. */
export type SessionNamespace = Readonly<{
  idFromName: (name: string) => unknown;
  get: (id: unknown) => { fetch: typeof fetch };
}>;

type DurableSessionsOptions = Readonly<{ randomUUID: () => string; random: () => number; maxSessions?: number }>;

/** The name of an object determines its location, so only ids generated here are accepted. */
const SESSION_ID = /^(\d{1,4})\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** How many objects to try for a new session; with 90% in use, five of six sessions still find a free one. */
const MAX_TRIES = 16;
const SLOT_IN_USE = 409;

/**
 * Sessions in Durable Objects, one each: a client's requests may reach different isolates, and a call must outlive the
 * response to the POST that started it. There are exactly `maxSessions` objects, so no shared count is needed.
 */
export function createDurableSessions(
  namespace: SessionNamespace,
  { randomUUID, random, maxSessions = MAX_SESSIONS }: DurableSessionsOptions,
): SseSessions {
  const send = (slot: string, body: object) =>
    namespace.get(namespace.idFromName(`slot-${slot}`)).fetch('http://session/', { method: 'POST', body: JSON.stringify(body) });
  return {
    async open(owner) {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const slot = String(Math.floor(random() * maxSessions));
        const response = await send(slot, { open: { sessionId: `${slot}.${randomUUID()}`, owner } });
        if (response.status !== SLOT_IN_USE) return response;
      }
      return undefined;
    },
    async deliver(delivery) {
      const slot = SESSION_ID.exec(delivery.sessionId)?.[1];
      if (slot === undefined || Number(slot) >= maxSessions) return 'unknown';
      const response = await send(slot, { deliver: delivery });
      return (await response.json()) as SseDeliveryOutcome;
    },
  };
}

type SessionRequest = { open: { sessionId: string; owner: string } } | { deliver: SseDelivery };

/** The object's side: handles the requests sent by `createDurableSessions`. */
export function serveDurableSession(openSession: OpenSseSession): (request: Request) => Promise<Response> {
  let current: (OwnedSession & { sessionId: string }) | undefined;
  let isOpening = false;

  async function open(sessionId: string, owner: string): Promise<Response> {
    if (current || isOpening) return new Response(null, { status: SLOT_IN_USE });
    isOpening = true;
    try {
      const session = await openSession(sessionId, () => {
        current = undefined;
      });
      current = { owner, session, sessionId };
      return session.response;
    } finally {
      isOpening = false;
    }
  }

  return async (request) => {
    const body = (await request.json()) as SessionRequest;
    if ('open' in body) return open(body.open.sessionId, body.open.owner);
    // The object outlives its sessions: a message for an expired session must not reach its successor.
    const isCurrent = current?.sessionId === body.deliver.sessionId;
    return Response.json(deliverTo(isCurrent ? current : undefined, body.deliver));
  };
}
