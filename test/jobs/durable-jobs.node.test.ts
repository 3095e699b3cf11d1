import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { createParts } from '../../src/gateway.ts';
import { type RunningGateway, startWorkerdGateway, type WorkerdOptions } from '../gateways.ts';
import {
  CLIENT_HEADERS,
  type Environment,
  eventually,
  newAccount,
  queueFaults,
  recordedRequests,
  release,
  startCall,
  testEnvironment,
  testRuntime,
} from '../support.ts';

type Args = Record<string, unknown>;

/** A client of a gateway, with an upstream account of its own. */
function createClient({ url }: RunningGateway, account: string) {
  const post = (message: object) =>
    fetch(`${url}/mcp`, { method: 'POST', headers: CLIENT_HEADERS, body: JSON.stringify({ jsonrpc: '2.0', ...message }) });
  const creations = async () => (await recordedRequests(account)).filter(({ method }) => method === 'POST');

  const start = (name: string, args: Args, id: string | number = 1, meta: object = {}) => startCall(fetch, name, args, { id, url, meta });

  return {
    post,
    creations,
    start,
    call: (name: string, args: Args) => start(name, args).result,
    /** Resolves once the upstream has this many creations. */
    received: (count: number) => eventually(async () => (await creations()).length === count),
    hold: () => queueFaults(account, [{ hold: 'all' }]),
    release: () => release(account),
  };
}

async function startGateway(env: Environment, options?: WorkerdOptions) {
  const gateway = await startWorkerdGateway(env, undefined, options);
  return { gateway, ...createClient(gateway, env.OPENAI_API_KEY ?? '') };
}

describe('a paid call on Workers', () => {
  const lines: string[] = [];
  let gateway: RunningGateway;
  let env: Environment;
  beforeAll(async () => {
    env = testEnvironment({ OPENAI_API_KEY: newAccount(), LOG_LEVEL: 'info' });
    gateway = await startWorkerdGateway(env, undefined, { onLog: (line) => lines.push(line) });
  });
  afterAll(() => gateway?.close());
  const logged = (event: string) =>
    lines
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line))
      .filter((line) => line.event === event);
  /** How many creations the upstream has had before. */
  const client = async () => {
    const created = createClient(gateway, env.OPENAI_API_KEY ?? '');
    const before = (await created.creations()).length;
    return {
      ...created,
      received: (count: number) => created.received(before + count),
      count: async () => (await created.creations()).length - before,
    };
  };

  test.each([
    ['generate_image', { prompt: 'a lighthouse', size: '64x64' }, {}],
    ['generate_image', { prompt: 'a lighthouse by night', size: '64x64' }, { progressToken: 1 }],
    ['synthesize_speech', { input: 'Welcome aboard.' }, {}],
  ])('%s with %j is finished after its client has left, and an identical call collects it', async (tool, args, meta) => {
    const { hold, start, received, release, call, count } = await client();
    await hold();
    const first = start(tool, args, 1, meta);
    const requestId = (await first.response).headers.get('x-request-id');
    await received(1);
    first.leave();
    // When its stream has ended, the gateway knows.
    await eventually(() => logged('request').some((line) => line.request_id === requestId));
    await release();
    const second = await call(tool, args);
    expect(second.structuredContent).toMatchObject({ collected: true, started_at: expect.any(String) });
    expect(await count()).toBe(1);
    // What was delivered is not given again.
    expect((await call(tool, args)).structuredContent.collected).toBeUndefined();
    expect(await count()).toBe(2);
  });

  test('the client that was told to come back waits on from another connection, whose request is logged once', async () => {
    const { hold, call, start, release, count } = await client();
    await hold();
    const args = { prompt: 'a pier', size: '64x64' };
    const first = await call('generate_image', { ...args, wait_seconds: 0 });
    expect(first.structuredContent).toMatchObject({ status: 'in_progress', job_id: expect.stringMatching(/^job-/) });
    const { job_id } = first.structuredContent;
    const second = start('generate_image', { job_id, wait_seconds: 600 });
    await release();
    expect((await second.result).structuredContent).toMatchObject({ images: [{ url: expect.any(String) }], collected: true });
    expect(await count()).toBe(1);
    const requestId = (await second.response).headers.get('x-request-id');
    await eventually(() => logged('request').some((line) => line.request_id === requestId));
    expect(logged('request').filter((line) => line.request_id === requestId)).toHaveLength(1);
    expect(logged('tool_call').filter((line) => line.request_id === requestId)).toHaveLength(1);
  });

  test('a cancellation in another request frees the result for the next call', async () => {
    const { hold, start, received, post, release, count } = await client();
    await hold();
    const args = { prompt: 'a buoy', size: '64x64' };
    start('generate_image', args, 'a-7');
    await received(1);
    await post({ method: 'notifications/cancelled', params: { requestId: 'a-7' } });
    const second = start('generate_image', args, 'a-8');
    await release();
    expect((await second.result).structuredContent).toMatchObject({ collected: true });
    expect(await count()).toBe(1);
  });

  test('a result that reaches only a connection whose call was cancelled is not delivered', async () => {
    const { hold, start, received, post, release, call, count } = await client();
    await hold();
    const args = { prompt: 'a raft', size: '64x64' };
    const first = start('generate_image', args, 'b-7');
    await received(1);
    await post({ method: 'notifications/cancelled', params: { requestId: 'b-7' } });
    await release();
    await first.result;
    expect((await call('generate_image', args)).structuredContent).toMatchObject({ collected: true });
    expect(await count()).toBe(1);
  });

  test('chat without a key still ends with its client, in the Worker', async () => {
    const { hold, start, received, release } = await client();
    await hold();
    const first = start('chat_completion', { prompt: 'Hello' });
    await received(1);
    first.leave();
    const chat = async () => (await recordedRequests(env.OPENAI_API_KEY ?? '')).filter(({ path }) => path.includes('/chat/'));
    await eventually(async () => (await chat())[0]?.brokenOffAtMs);
    await release();
  });

  test('chat with a key is billed once, whichever connection asks', async () => {
    const { call, count } = await client();
    const args = { prompt: 'Hello again', idempotency_key: 'one order' };
    const [first, second] = [await call('chat_completion', args), await call('chat_completion', args)];
    expect(second.structuredContent).toMatchObject({ text: first.structuredContent.text, collected: true });
    expect(await count()).toBe(1);
  });
});

test('a job whose process is killed is marked as interrupted after its lease, and nothing is sent again', async () => {
  const persistTo = await mkdtemp(join(tmpdir(), 'durable-objects-'));
  const env = testEnvironment({ OPENAI_API_KEY: newAccount() });
  const args = { prompt: 'a storm', size: '64x64' };
  const first = await startGateway(env, { persistTo });
  await first.hold();
  const { structuredContent } = await first.call('generate_image', { ...args, wait_seconds: 0 });
  await first.received(1);
  process.kill(first.gateway.pid, 'SIGKILL');
  await first.gateway.close().catch(() => {});

  const second = await startGateway(env, { persistTo });
  // By the alarm alone: nobody asks for it.
  await eventually(async () => (await stateOf(structuredContent.job_id, env)) === 'interrupted');
  const resumed = await second.call('generate_image', { job_id: structuredContent.job_id });
  expect(resumed.content[0]?.text).toContain('job_interrupted');
  expect(await second.creations()).toHaveLength(1);
  const again = await second.call('generate_image', args);
  expect(again.structuredContent).toMatchObject({ images: [expect.anything()], warning: expect.stringContaining('interrupted') });
  expect(await second.creations()).toHaveLength(2);
  await second.gateway.close();
  await rm(persistTo, { recursive: true, force: true });
});

/** What the record says of a job. */
async function stateOf(jobId: string, env: Environment): Promise<string | undefined> {
  const loaded = loadConfig(env);
  const sealed = loaded.ok ? createParts(loaded.config, testRuntime({}, 1)).sealed : undefined;
  const found = await sealed?.jobs.read(jobId.split('-')[1] ?? '');
  return (found?.value as { jobs: { state: string }[] } | undefined)?.jobs[0]?.state;
}

test('a missing binding is reported', async () => {
  const gateway = await startWorkerdGateway(testEnvironment(), undefined, { without: 'JOBS' });
  const response = await fetch(`${gateway.url}/mcp`, { method: 'POST' });
  expect(response.status).toBe(503);
  expect(await response.text()).toMatch(/JOBS must be bound to the Durable Object class JobObject/);
  await gateway.close();
});
