import { expect, test } from 'vitest';
import { createDurableSessions, type SessionNamespace, serveDurableSession } from '../../src/mcp/sse-durable-sessions.ts';
import { createTestApp, testRuntime } from '../support.ts';

/** Objects as the platform keeps them: one for each name, in which requests run side by side. */
function setUp(maxSessions: number) {
  const { gateway } = createTestApp();
  const objects = new Map<unknown, ReturnType<typeof serveDurableSession>>();
  const namespace: SessionNamespace = {
    idFromName: (name) => name,
    get(id) {
      const serve = objects.get(id) ?? serveDurableSession(gateway.openSseSession);
      objects.set(id, serve);
      return { fetch: (url, init) => serve(new Request(url as string, init)) };
    },
  };
  return createDurableSessions(namespace, { ...testRuntime(), maxSessions });
}

/** The session id from a stream's first event. */
async function idOf(response: Response | undefined): Promise<string> {
  const reader = response?.body?.getReader();
  const { value } = (await reader?.read()) ?? {};
  reader?.releaseLock();
  return /sessionId=(\S+)/.exec(new TextDecoder().decode(value))?.[1] ?? '';
}

const message = (sessionId: string, owner: string) => ({
  sessionId,
  message: { jsonrpc: '2.0', method: 'notifications/initialized' },
  exchange: { requestId: 'r', principal: { id: owner, name: owner, limits: {} } },
});

test('sessions never exceed the limit, and closing one frees its slot', async () => {
  const sessions = setUp(3);
  const opened = await Promise.all(Array.from({ length: 40 }, () => sessions.open('owner')));
  const streams = opened.filter((response) => response !== undefined);
  expect(streams).toHaveLength(3);
  const [first] = streams;
  await first?.body?.cancel();
  expect(await sessions.open('owner')).toBeDefined();
  expect(await sessions.open('owner')).toBeUndefined();
});

test('messages reach only their own session, and only from its owner', async () => {
  const sessions = setUp(1);
  const stream = await sessions.open('owner');
  const id = await idOf(stream);
  expect(await sessions.deliver(message(id, 'owner'))).toBe('accepted');
  expect(await sessions.deliver(message(id, 'another'))).toBe('unknown');
  await stream?.body?.cancel();
  const next = await idOf(await sessions.open('owner'));
  // The same object has a new session now.
  expect(await sessions.deliver(message(id, 'owner'))).toBe('unknown');
  expect(await sessions.deliver(message(next, 'owner'))).toBe('accepted');
  expect(await sessions.deliver(message('slot-0', 'owner'))).toBe('unknown');
});
