import { expect, test } from 'vitest';
import { startWorkerdGateway } from './gateways.ts';

test('workerd with a wrong configuration answers 503, and names the variables', async () => {
  const gateway = await startWorkerdGateway({ PORT: 'not read here', OPENAI_CHAT_MODEL: 'a secret' });
  const response = await fetch(`${gateway.url}/mcp`, { method: 'POST' });
  expect(response.status).toBe(503);
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  expect(error.code).toBe('not_configured');
  expect(error.message).toMatch(/MCP_SERVER_API_KEY.*OPENAI_CHAT_MODEL.*npx wrangler secret put/);
  expect(error.message).not.toMatch(/a secret|PORT/);
  await gateway.close();
});
