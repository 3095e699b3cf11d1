import { expect, inject, test } from 'vitest';
import { createEvents } from '../../src/events.ts';
import { callUpstream } from '../../src/openai/call-upstream.ts';
import { createUpstreams, type Upstream } from '../../src/openai/upstreams.ts';
import { newAccount, queueFaults, recordedRequests, testRuntime } from '../support.ts';

const NEVER = new AbortController().signal;
const REQUEST = { model: 'gpt-6-luna', messages: [{ role: 'user' as const, content: 'Hello' }] };

function setUp(): { upstream: Upstream; account: string; ask: (signal: AbortSignal) => Promise<unknown> } {
  const account = newAccount();
  const models = { chat: 'm', image: 'm', audio: 'm', video: 'm', transcription: 'm' };
  const settings = {
    apiKey: account,
    baseUrl: `${inject('openaiUrl')}/v1`,
    organization: undefined,
    project: undefined,
    models,
    overrides: {},
    fallbacks: {},
    azure: undefined,
  };
  const runtime = testRuntime();
  const events = createEvents(() => {}, runtime);
  const { chat } = createUpstreams(settings, { ...runtime, events, redact: (text) => text });
  if (!chat.available) throw new Error(chat.reason);
  return { upstream: chat, account, ask: async (signal) => (await chat.client()).chat.completions.create(REQUEST, { signal }) };
}

test.each([
  [true, /billed|charged/],
  [false, /^(?!.*(billed|charged))/],
])('an answer that takes too long is a time-out (paid: %s)', async (paid, expected) => {
  const { upstream, account, ask } = setUp();
  await queueFaults(account, [{ hold: 'all' }]);
  const called = callUpstream(upstream, { paid, signal: NEVER, timeoutMs: 50 }, ask);
  await expect(called).rejects.toMatchObject({ failure: { kind: 'upstream_timeout' }, message: expect.stringMatching(expected) });
});

test('a body that stalls times out', async () => {
  const { upstream, account, ask } = setUp();
  await queueFaults(account, [{ stall: true }]);
  await expect(callUpstream(upstream, { paid: true, signal: NEVER, timeoutMs: 200 }, ask)).rejects.toMatchObject({
    failure: { kind: 'upstream_timeout' },
  });
});

test('a client that disconnects while the first call loads what it needs has sent nothing', async () => {
  const { upstream, account, ask } = setUp();
  const client = new AbortController();
  const load: Upstream['client'] = async () => {
    client.abort();
    return upstream.client();
  };
  const called = callUpstream({ ...upstream, client: load }, { paid: true, signal: client.signal }, async (signal) => {
    await load();
    return ask(signal);
  });
  const failure = await called.catch((error) => error.failure);
  expect(failure).toEqual({ kind: 'cancelled' });
  expect(await recordedRequests(account)).toEqual([]);
});

test('a client that disconnects ends the call', async () => {
  const { upstream, account, ask } = setUp();
  await queueFaults(account, [{ hold: 'all' }]);
  const client = new AbortController();
  const called = callUpstream(upstream, { paid: true, signal: client.signal }, ask);
  setTimeout(() => client.abort(), 20);
  await expect(called).rejects.toMatchObject({ failure: { kind: 'cancelled' } });
});
