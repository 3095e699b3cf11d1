import { createServer } from 'node:net';
import { expect, inject, test } from 'vitest';
import { createTestApp, newAccount, testEnvironment } from '../support.ts';

/** The URL of a port at which nothing listens any longer. */
async function deadUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}/v1`;
}

test.each([
  ['refuses connections', deadUrl],
  ['has no address', async () => 'http://no-such-host.invalid/v1'],
])('the second upstream serves a call when the first %s', async (_, urlOf) => {
  const { call } = createTestApp(
    testEnvironment({
      OPENAI_BASE_URL: await urlOf(),
      OPENAI_CHAT_FALLBACK_BASE_URL: `${inject('openaiUrl')}/v1`,
      OPENAI_CHAT_FALLBACK_API_KEY: newAccount(),
    }),
  );
  const { structuredContent } = await call('chat_completion', { prompt: 'Hello' });
  expect(structuredContent.served_by).toBe(new URL(inject('openaiUrl')).host);
});
