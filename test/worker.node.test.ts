import { expect, inject, test } from 'vitest';
import { startWorkerdGateway } from './gateways.ts';
import { eventually, newAccount, queueFaults, readAnswer, recordedRequests, release } from './support.ts';

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

test('workerd shares a model list between requests, even when the client of the first has gone', async () => {
  const account = newAccount();
  const env = { MCP_SERVER_API_KEY: account, OPENAI_API_KEY: account, OPENAI_BASE_URL: `${inject('openaiUrl')}/v1` };
  const gateway = await startWorkerdGateway(env);
  const headers = { authorization: `Bearer ${account}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const params = { name: 'list_supported_models', arguments: {} };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  const list = async (signal: AbortSignal | null = null) => {
    const { result } = await readAnswer(await fetch(`${gateway.url}/mcp`, { method: 'POST', headers, body, signal }));
    const listed = result?.structuredContent as { models: { choices?: object[] }[] } | undefined;
    return listed?.models[0]?.choices ?? [];
  };
  await queueFaults(account, [{ hold: 'all' }]);
  const client = new AbortController();
  const gone = list(client.signal).catch(() => 'gone');
  await eventually(async () => (await recordedRequests(account)).length > 0);
  const others = Promise.all(Array.from({ length: 10 }, () => list()));
  client.abort();
  expect(await gone).toBe('gone');
  await release(account);
  // On a busy machine they have waited for their two seconds; the list is then there for the next.
  await others;
  await eventually(async () => (await list()).length > 1);
  expect(await recordedRequests(account)).toHaveLength(1);
  await gateway.close();
});
