import { describe, expect, inject, test } from 'vitest';
import { createRedactor } from '../src/redact.ts';
import type { Fault } from './stand-ins/openai/accounts.ts';
import { createTestApp, newAccount, testEnvironment, testRuntime } from './support.ts';

async function failureOf(tool: string, args: object, ...faults: Fault[]): Promise<string> {
  const app = createTestApp();
  await app.fail(...faults);
  const result = await app.call(tool, args);
  expect(result.isError).toBe(true);
  expect(result).not.toHaveProperty('structuredContent');
  return result.content[0]?.text ?? '';
}
/** Whatever the words: the work may have cost something. */
const BILLED = /billed|charged/;
const chat = (...faults: Fault[]) => failureOf('chat_completion', { prompt: 'Hello' }, ...faults);
const image = (...faults: Fault[]) => failureOf('generate_image', { prompt: 'a lamp', size: '64x64' }, ...faults);

describe('what a client reads', () => {
  test.each<[string, Fault[], RegExp]>([
    [
      '400',
      [{ status: 400, code: 'invalid_value', message: "Invalid 'temperature'." }],
      /400 \(invalid_value\).*Invalid 'temperature'.*\(upstream_status, request /,
    ],
    [
      '401',
      [{ status: 401, code: 'invalid_api_key', message: 'Incorrect API key provided: abc' }],
      /401 \(invalid_api_key\).*OPENAI_API_KEY.*\(upstream_status, request /,
    ],
    ['403', [{ status: 403, code: 'country' }], /403.*\(upstream_status, request /],
    [
      '404',
      [{ status: 404, code: 'model_not_found' }],
      /404 \(model_not_found\).*OPENAI_CHAT_MODEL.*OPENAI_BASE_URL.*list_supported_models.*\(upstream_status, /,
    ],
    ['a redirect', [{ status: 307, headers: { location: 'https://elsewhere.example.com/' } }], /307.*\(upstream_status, request /],
    ['409', [{ status: 409 }], /409.*\(upstream_status, request /],
    [
      '429 with a wait',
      [{ status: 429, code: 'rate_limit_exceeded', headers: { 'retry-after': '20' } }],
      /429 \(rate_limit_exceeded\).* 20 s.*\(upstream_status, request /,
    ],
    ['429 for want of credit', [{ status: 429, code: 'insufficient_quota' }], /429.*\(quota_exhausted, request /],
    ['400 for want of credit', [{ status: 400, code: 'billing_hard_limit_reached' }], /400.*\(quota_exhausted, request /],
    ['402', [{ status: 402, code: 'invalid_request_error', message: 'Insufficient Balance' }], /402.*\(quota_exhausted, request /],
    ['500', [{ status: 500 }], /500.*\(upstream_status, request /],
    ['503 with a wait', [{ status: 503, headers: { 'retry-after': '30' } }], /503.* 30 s.*\(upstream_status, request /],
    [
      'an HTML page',
      [{ status: 502, body: '<html><b>Bad gateway at 10.0.0.7</b></html>' }],
      /^(?!.*(Bad gateway|10\.0\.0\.7)).*127\.0\.0\.1:\d+.*502.*\(upstream_status, request /,
    ],
  ])('%s', async (_, faults, expected) => {
    expect(await chat(...faults)).toMatch(expected);
  });

  test.each(['content_filter', 'content_policy_violation', 'moderation_blocked'])('a refusal for safety: %s', async (code) => {
    expect(await image({ status: 400, code, message: 'Rejected by the safety system.' })).toMatch(
      /Rejected by the safety system.*\(content_refused, request /,
    );
  });

  test('Azure reports its content filter in an inner error', async () => {
    const body = JSON.stringify({ error: { message: 'Filtered.', innererror: { code: 'ResponsibleAIPolicyViolation' } } });
    expect(await chat({ status: 400, body, headers: { 'content-type': 'application/json' } })).toMatch(
      /Filtered.*\(content_refused, request /,
    );
  });

  test('5xx of a paid call may have been charged', async () => {
    expect(await image({ status: 502 })).toMatch(BILLED);
    expect(await image({ status: 503 })).not.toMatch(BILLED);
  });

  test('429 that goes on is told after two more tries, all of them free', async () => {
    expect(await chat({ status: 429 }, { status: 429 }, { status: 429 })).toMatch(/429.*\(upstream_status, request /);
  });

  test('a transient 429 is not reported', async () => {
    const app = createTestApp();
    await app.fail({ status: 429, headers: { 'retry-after': '1' } }, { status: 503 });
    expect((await app.call('chat_completion', { prompt: 'Hello' })).structuredContent.text).toContain('Hello');
    expect(await app.requests()).toHaveLength(3);
  });

  test('an upstream that cannot be reached', async () => {
    const result = await createTestApp(testEnvironment({ OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' })).call('chat_completion', {
      prompt: 'Hello',
    });
    expect(result.content[0]?.text).toMatch(/127\.0\.0\.1:9\b.*\(upstream_unreachable, request /);
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

  test('an unknown error is reported as "Internal error", with details only in the log', async () => {
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
  test('a key that the upstream quotes is never revealed', async () => {
    const key = `wrong-${newAccount()}`;
    const app = createTestApp(testEnvironment({ OPENAI_API_KEY: key }));
    const unauthorized = await app.call('chat_completion', { prompt: 'Hello' });
    expect(unauthorized.content[0]?.text).toContain('401');
    expect(JSON.stringify(unauthorized)).not.toContain(key);
    expect(app.logged.join()).not.toContain(key);
  });

  test('nor in the message of another status', async () => {
    const env = testEnvironment();
    const app = createTestApp(env);
    await app.fail({ status: 400, message: `Bad key ${env.OPENAI_API_KEY} in Authorization: Bearer ${env.OPENAI_API_KEY}` });
    const result = await app.call('chat_completion', { prompt: 'Hello' });
    expect(result.content[0]?.text).toContain('Bad key [key]');
    expect(JSON.stringify(result)).not.toContain(env.OPENAI_API_KEY);
  });

  test('nor is a part of a key', async () => {
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
    ['data:image/png;base64,AAAA', 'data:image/png;base64,[data]'],
    ['two\n  lines', 'two lines'],
    ['nothing special, task-force', 'nothing special, task-force'],
  ])('%j becomes %j', (text, expected) => {
    expect(createRedactor([])(text)).toBe(expected);
  });
});

describe('the error for a wrong base URL names its variable', () => {
  const chatAt = async (env: Record<string, string>) =>
    (await createTestApp(testEnvironment(env)).call('chat_completion', { prompt: 'Hello' })).content[0]?.text ?? '';

  test('where nothing listens', async () => {
    const told = await chatAt({ OPENAI_BASE_URL: 'http://127.0.0.1:47999/v1' });
    expect(told).toMatch(/127\.0\.0\.1:47999.*OPENAI_BASE_URL.*\(upstream_unreachable, request /);
  });

  test('without its /v1', async () => {
    expect(await chatAt({ OPENAI_BASE_URL: inject('openaiUrl') })).toMatch(/404.*OPENAI_BASE_URL.*\(upstream_status, request /);
  });

  test('so does the error for a missing Azure deployment', async () => {
    const azure = { AZURE_OPENAI_ENDPOINT: inject('openaiUrl'), AZURE_OPENAI_API_KEY: newAccount(), AZURE_OPENAI_CHAT_DEPLOYMENT: 'wrong' };
    expect(await chatAt(azure)).toMatch(/404 \(DeploymentNotFound\).*AZURE_OPENAI_CHAT_DEPLOYMENT.*AZURE_OPENAI_ENDPOINT/);
  });
});
