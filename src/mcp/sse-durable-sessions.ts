import {
  deliverTo,
  MAX_SESSIONS,
  type OpenSseSession,
  type OwnedSession,
  type SseDelivery,
  type SseDeliveryOutcome,
  type SseSessions,
} from './sse-sessions.ts';

/** What is used of a Durable Object namespace. */
export type SessionNamespace = Readonly<{
  idFromName: (name: string) => unknown;
  get: (id: unknown) => { fetch: typeof fetch };
}>;

type DurableSessionsOptions = Readonly<{ randomUUID: () => string; random: () => number; maxSessions?: number }>;

/** The name of an object decides where it is; only names that were made here lead to one. */
const SESSION_ID = /^(\d{1,4})\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** How many objects are tried for a new session; at nine of ten taken, five of six sessions find a free one. */
const MAX_TRIES = 16;
const TAKEN = 409;

/**
 * Sessions in Durable Objects, one in each: the requests of a client may come to different isolates, and a call must go
 * on after the POST that brought it has been answered. There are as many objects as there may be sessions, so that no
 * count of them has to be kept anywhere.
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
        if (response.status !== TAKEN) return response;
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

/** The other end of it: what the object does with the requests of `createDurableSessions`. */
export function serveDurableSession(openSession: OpenSseSession): (request: Request) => Promise<Response> {
  let current: (OwnedSession & { sessionId: string }) | undefined;
  let isOpening = false;

  async function open(sessionId: string, owner: string): Promise<Response> {
    if (current || isOpening) return new Response(null, { status: TAKEN });
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
    const asked = (await request.json()) as SessionRequest;
    if ('open' in asked) return open(asked.open.sessionId, asked.open.owner);
    // The object outlives its sessions: messages for one that has ended are not for the next.
    const isCurrent = current?.sessionId === asked.deliver.sessionId;
    return Response.json(deliverTo(isCurrent ? current : undefined, asked.deliver));
  };
}
