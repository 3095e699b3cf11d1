import { describe, expect, inject, test } from 'vitest';
import { createRedactor } from '../src/redact.ts';
import type { Fault } from './stand-ins/openai/accounts.ts';
import { createTestApp, isWorkerd, newAccount, testEnvironment, testRuntime } from './support.ts';

async function answerTo(tool: string, args: object, ...faults: Fault[]): Promise<string> {
  const app = createTestApp();
  await app.fail(...faults);
  const result = await app.call(tool, args);
  expect(result.isError).toBe(true);
  expect(result).not.toHaveProperty('structuredContent');
  return result.content[0]?.text ?? '';
}
const chat = (...faults: Fault[]) => answerTo('chat_completion', { prompt: 'Hello' }, ...faults);
const image = (...faults: Fault[]) => answerTo('generate_image', { prompt: 'a lamp', size: '64x64' }, ...faults);

describe('what an agent is told', () => {
  test.each<[string, Fault[], RegExp]>([
    [
      '400',
      [{ status: 400, code: 'invalid_value', message: "Invalid 'temperature'." }],
      /answered 400 \(invalid_value\): Invalid 'temperature'\. The same request will be refused again/,
    ],
    [
      '401',
      [{ status: 401, code: 'invalid_api_key', message: 'Incorrect API key provided: abc' }],
      /answered 401 \(invalid_api_key\)\. The gateway's API key \(OPENAI_API_KEY\) is missing or was refused.*Trying again does not help/,
    ],
    ['403', [{ status: 403, code: 'country' }], /answered 403.*may not do this.*Trying again does not help/],
    [
      '404',
      [{ status: 404, code: 'model_not_found' }],
      /answered 404 \(model_not_found\).*OPENAI_CHAT_MODEL.*OPENAI_BASE_URL.*list_supported_models/,
    ],
    ['a redirect', [{ status: 307, headers: { location: 'https://elsewhere.example.com/' } }], /answered 307.*Redirects are not followed/],
    ['409', [{ status: 409 }], /answered 409.*Trying again may work/],
    [
      '429 with a wait',
      [{ status: 429, code: 'rate_limit_exceeded', headers: { 'retry-after': '20' } }],
      /answered 429 \(rate_limit_exceeded\).*Too many requests; try again in 20 s/,
    ],
    ['429 for want of credit', [{ status: 429, code: 'insufficient_quota' }], /quota is used up.*does not help/],
    ['500', [{ status: 500 }], /answered 500.*try again in a minute/],
    ['503 with a wait', [{ status: 503, headers: { 'retry-after': '30' } }], /answered 503.*try again in 30 s/],
    [
      'an HTML page',
      [{ status: 502, body: '<html><b>Bad gateway at 10.0.0.7</b></html>' }],
      /^The OpenAI-compatible server 127\.0\.0\.1:\d+ answered 502\. The service has a problem/,
    ],
  ])('%s', async (_, faults, expected) => {
    expect(await chat(...faults)).toMatch(expected);
  });

  test.each(['content_filter', 'content_policy_violation', 'moderation_blocked'])('a refusal for safety: %s', async (code) => {
    expect(await image({ status: 400, code, message: 'Rejected by the safety system.' })).toMatch(
      /refused the content for safety reasons: Rejected by the safety system\. .*change the prompt/,
    );
  });

  test('a filter that Azure tells of in an inner error', async () => {
    const body = JSON.stringify({ error: { message: 'Filtered.', innererror: { code: 'ResponsibleAIPolicyViolation' } } });
    expect(await chat({ status: 400, body, headers: { 'content-type': 'application/json' } })).toMatch(
      /refused the content for safety reasons: Filtered/,
    );
  });

  test('5xx of a paid call may have been charged', async () => {
    expect(await image({ status: 502 })).toMatch(/try again in a minute\. It may have done the work and charged for it/);
    expect(await image({ status: 503 })).not.toMatch(/charged/);
  });

  test('429 that goes on is told after two more tries, all of them free', async () => {
    expect(await chat({ status: 429 }, { status: 429 }, { status: 429 })).toMatch(/wait a little, then try again/);
  });

  test('429 that passes is not told at all', async () => {
    const app = createTestApp();
    await app.fail({ status: 429, headers: { 'retry-after': '1' } }, { status: 503 });
    expect((await app.call('chat_completion', { prompt: 'Hello' })).structuredContent.text).toContain('Hello');
    expect(await app.requests()).toHaveLength(3);
  });

  test('an upstream that cannot be reached', async () => {
    const result = await createTestApp(testEnvironment({ OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' })).call('chat_completion', {
      prompt: 'Hello',
    });
    expect(result.content[0]?.text).toMatch(/connection to the OpenAI-compatible server 127\.0\.0\.1:9 failed.*may be charged again/);
  });

  test('every error ends with its kind and the id of the request', async () => {
    const app = createTestApp();
    await app.fail({ status: 500 });
    const response = await app.post({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'chat_completion', arguments: { prompt: 'Hello' } },
    });
    expect(await response.text()).toContain(`(upstream_status, request ${response.headers.get('x-request-id')})`);
  });

  test('an unknown error is told as "Internal error", and only the log has more', async () => {
    const runtime = testRuntime({ randomUUID: () => 'id' });
    let isBroken = false;
    const app = createTestApp(testEnvironment(), {
      ...runtime,
      now: () => {
        if (isBroken) throw new Error('the secret inside');
        return runtime.now();
      },
    });
    isBroken = true;
    const response = await app.app.request('/health');
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('secret');
    expect(runtime.lines.join()).toContain('the secret inside');
  });
});

describe('secrets', () => {
  test('a key that the upstream quotes is never told', async () => {
    const key = `wrong-${newAccount()}`;
    const app = createTestApp(testEnvironment({ OPENAI_API_KEY: key }));
    const unauthorized = await app.call('chat_completion', { prompt: 'Hello' });
    expect(unauthorized.content[0]?.text).toContain('401');
    expect(JSON.stringify(unauthorized)).not.toContain(key);
    expect(app.logged.join()).not.toContain(key);
  });

  test('nor in a sentence of another status', async () => {
    const env = testEnvironment();
    const app = createTestApp(env);
    await app.fail({ status: 400, message: `Bad key ${env.OPENAI_API_KEY} in Authorization: Bearer ${env.OPENAI_API_KEY}` });
    const result = await app.call('chat_completion', { prompt: 'Hello' });
    expect(result.content[0]?.text).toContain('Bad key [key]');
    expect(JSON.stringify(result)).not.toContain(env.OPENAI_API_KEY);
  });

  test('a part of a key is not told either', async () => {
    const text = await chat({ status: 403, message: 'Incorrect API key provided: AKEY-***7890.' });
    expect(text).toContain('403');
    expect(text).not.toMatch(/AKEY|7890/);
  });

  test.each([
    ['partial AKEY-12*****7890 here', 'partial [key] here'],
    ['Incorrect API key provided: AKEY-1234567890', 'Incorrect API key provided: [key]'],
    ['key sk-proj-abcd1234efgh', 'key [key]'],
    ['sk-ab****yz', '[key]'],
    ['Authorization: Bearer abcdefgh12345', 'Authorization: Bearer [key]'],
    ['https://a.blob.core.windows.net/c/b?sv=1&sig=abc%3D&se=2', 'https://a.blob.core.windows.net/c/b?sv=1&sig=[redacted]&se=2'],
    ['AccountKey=abcdef==;x', 'AccountKey=[redacted];x'],
    ['data:image/png;base64,AAAA', '[data]'],
    ['two\n  lines', 'two lines'],
    ['nothing special, task-force', 'nothing special, task-force'],
  ])('%j becomes %j', (text, expected) => {
    expect(createRedactor([])(text)).toBe(expected);
  });
});

describe('a wrong base URL is told with its variable', () => {
  const chatAt = async (env: Record<string, string>) =>
    (await createTestApp(testEnvironment(env)).call('chat_completion', { prompt: 'Hello' })).content[0]?.text ?? '';

  test('where nothing listens', async () => {
    const told = await chatAt({ OPENAI_BASE_URL: 'http://127.0.0.1:47999/v1' });
    // workerd does not say that there was no connection.
    const happened = isWorkerd ? 'failed before an answer arrived' : 'Could not connect to .*: nothing was sent, nor charged';
    expect(told).toMatch(new RegExp(`${happened}.* If it never works, the operator must check OPENAI_BASE_URL and the network\\.`));
  });

  test('without its /v1', async () => {
    expect(await chatAt({ OPENAI_BASE_URL: inject('openaiUrl') })).toMatch(/answered 404.*the operator must check OPENAI_BASE_URL/);
  });

  test('a deployment that Azure does not have is told with its variable', async () => {
    const azure = { AZURE_OPENAI_ENDPOINT: inject('openaiUrl'), AZURE_OPENAI_API_KEY: newAccount(), AZURE_OPENAI_CHAT_DEPLOYMENT: 'wrong' };
    expect(await chatAt(azure)).toMatch(/answered 404 \(DeploymentNotFound\).*AZURE_OPENAI_CHAT_DEPLOYMENT.*AZURE_OPENAI_ENDPOINT/);
  });
});
