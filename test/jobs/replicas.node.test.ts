import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { type RunningNodeGateway, spawnNodeGateway, startNodeGateway } from '../gateways.ts';
import {
  createTestApp,
  type Environment,
  eventually,
  queueFaults,
  recordedRequests,
  release,
  startCall,
  type ToolResult,
  testEnvironment,
  testRuntime,
} from '../support.ts';

const start = (send: (request: Request) => Response | Promise<Response>, args: object, url?: string) =>
  startCall(send, 'generate_image', args, url === undefined ? {} : { url });

const creationsOf = async (env: Environment) =>
  (await recordedRequests(env.OPENAI_API_KEY ?? '')).filter(({ method, path }) => method === 'POST' && path.startsWith('/v1/'));
const sent = (env: Environment, count: number) => eventually(async () => (await creationsOf(env)).length === count);
const urlOf = ({ structuredContent }: ToolResult): string => structuredContent.images[0].url;
const IMAGE = { prompt: 'a lighthouse', size: '64x64' };

describe('three instances with one container', () => {
  /** Leases are to outlive a busy machine. */
  const setUp = () => {
    const env = testEnvironment();
    const [a, b, c] = [1, 2, 3].map(() => createTestApp(env, testRuntime({ outlivesClients: true }, 10)));
    if (!a || !b || !c) throw new Error('three');
    return { env, a, b, c, send: (app: typeof a) => (sent: Request) => app.app.request(sent) };
  };

  test('a result that its client left is collected by another instance', async () => {
    const { env, a, b, send } = setUp();
    await a.fail({ at: '/images', hold: 'all' });
    const first = start(send(a), IMAGE);
    await sent(env, 1);
    first.leave();
    const second = start(send(b), IMAGE);
    await a.release();
    expect((await second.result).structuredContent).toMatchObject({ collected: true, images: [{ width: 64 }] });
    expect((await b.call('generate_image', IMAGE)).structuredContent.collected).toBeUndefined();
    expect(await creationsOf(env)).toHaveLength(2);
  });

  test('while its client waits, an identical call of another instance is a call of its own', async () => {
    const { env, a, b, send } = setUp();
    await a.fail({ at: '/images', hold: 'all' }, { at: '/images', hold: 'all' });
    const calls = [start(send(a), IMAGE), start(send(b), IMAGE)];
    await sent(env, 2);
    await a.release();
    const results = await Promise.all(calls.map(({ result }) => result));
    expect(new Set(results.map(urlOf)).size).toBe(2);
  });

  test.each(['b', 'c'] as const)(
    'a call that is cancelled, at instance %s, while it finds out about an earlier one starts nothing',
    async (at) => {
      const { env, send, ...instances } = setUp();
      const { a, b } = instances;
      await a.fail({ at: '/images', hold: 'all' });
      const first = start(send(a), IMAGE);
      await sent(env, 1);
      const second = startCall(send(b), 'generate_image', IMAGE, { id: 'second' });
      let isAnswered = false;
      void second.result.then(() => {
        isAnswered = true;
      });
      // Again and again, as the call may not have arrived.
      await eventually(async () => {
        await instances[at].post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'second' } });
        return isAnswered;
      });
      expect((await second.result).isError).toBe(true);
      await a.release();
      expect((await first.result).structuredContent).toMatchObject({ images: [{ width: 64 }] });
      expect(await creationsOf(env)).toHaveLength(1);
    },
  );

  test('one idempotency_key at the same moment is one creation, and one image for all', async () => {
    const { env, a, b, c } = setUp();
    const args = { ...IMAGE, idempotency_key: 'one' };
    const results = await Promise.all([a, b, c].map((app) => app.call('generate_image', args)));
    expect(new Set(results.map(urlOf)).size).toBe(1);
    expect(await creationsOf(env)).toHaveLength(1);
  });

  test('any instance waits on for a job', async () => {
    const { env, a, b, c } = setUp();
    await a.fail({ at: '/images', hold: 'all' });
    const { job_id } = (await a.call('generate_image', { ...IMAGE, wait_seconds: 0 })).structuredContent;
    expect((await b.call('generate_image', { job_id, wait_seconds: 0 })).structuredContent.status).toBe('in_progress');
    const result = c.call('generate_image', { job_id });
    await a.release();
    expect((await result).structuredContent).toMatchObject({ collected: true, images: [{ width: 64 }] });
    expect(await creationsOf(env)).toHaveLength(1);
  });

  test('a cancellation that reaches another instance frees the result', async () => {
    const { env, a, b, c, send } = setUp();
    await a.fail({ at: '/images', hold: 'all' });
    start(send(a), IMAGE);
    await sent(env, 1);
    await b.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    const second = start(send(c), IMAGE);
    await eventually(async () => (await creationsOf(env)).length === 1);
    await a.release();
    expect((await second.result).structuredContent).toMatchObject({ collected: true });
    expect(await creationsOf(env)).toHaveLength(1);
  });
});

describe('a process that ends', () => {
  const call = ({ url }: { url: string }, args: object) => start(fetch, args, url);

  async function setUp() {
    const env = testEnvironment({ LOG_LEVEL: 'info' });
    await queueFaults(env.OPENAI_API_KEY ?? '', [{ at: '/images', hold: 'all' }]);
    const gateway: RunningNodeGateway = await startNodeGateway(env);
    const { structuredContent } = await call(gateway, { ...IMAGE, wait_seconds: 0 }).result;
    await sent(env, 1);
    return { env, gateway, jobId: structuredContent.job_id as string };
  }

  test('by SIGKILL: its job is reported as interrupted, once; then it starts anew, with a warning', async () => {
    const { env, gateway, jobId } = await setUp();
    await gateway.close();
    const other = await startNodeGateway(env);
    // Resolves when the lease has run out.
    const learned = await call(other, IMAGE).result;
    expect(learned.content[0]?.text).toContain('job_interrupted');
    expect((await call(other, { job_id: jobId }).result).content[0]?.text).toContain('job_interrupted');
    expect(await creationsOf(env)).toHaveLength(1);
    const anew = await call(other, IMAGE).result;
    expect(anew.structuredContent).toMatchObject({ images: [{ width: 64 }], warning: expect.stringContaining('interrupted') });
    expect(await creationsOf(env)).toHaveLength(2);
    await other.close();
  });

  test('by SIGKILL, while its client waits: calling again reports the interruption before anything is billed', async () => {
    const env = testEnvironment({ LOG_LEVEL: 'info' });
    await queueFaults(env.OPENAI_API_KEY ?? '', [{ at: '/images', hold: 'all' }]);
    const gateway = await startNodeGateway(env);
    const first = call(gateway, IMAGE);
    await sent(env, 1);
    await gateway.close();
    await expect(first.result).rejects.toThrow();
    const other = await startNodeGateway(env);
    expect((await call(other, IMAGE).result).content[0]?.text).toContain('job_interrupted');
    expect(await creationsOf(env)).toHaveLength(1);
    await other.close();
  });

  test('by SIGTERM: the job ends first, and another process has the result', async () => {
    const { env, gateway, jobId } = await setUp();
    const exited = gateway.terminate();
    await eventually(async () => (await fetch(`${gateway.url}/ready`)).status === 503);
    await release(env.OPENAI_API_KEY ?? '');
    expect(await exited).toBe(0);
    const other = await startNodeGateway(env);
    expect((await call(other, { job_id: jobId }).result).structuredContent).toMatchObject({ collected: true, images: [{ width: 64 }] });
    expect(await creationsOf(env)).toHaveLength(1);
    await other.close();
  });

  test('by a second SIGTERM: the record says at once that the job was interrupted', async () => {
    const env = testEnvironment({ LOG_LEVEL: 'info' });
    await queueFaults(env.OPENAI_API_KEY ?? '', [{ at: '/images', hold: 'all' }]);
    const child = spawnNodeGateway({ PORT: '0', HOST: '127.0.0.1', ...env });
    let log = '';
    child.stdout?.on('data', (chunk) => {
      log += chunk;
    });
    const port = await eventually(() => /"event":"listening".*"port":(\d+)/.exec(log)?.[1]);
    const { structuredContent } = await call({ url: `http://127.0.0.1:${port}` }, { ...IMAGE, wait_seconds: 0 }).result;
    await sent(env, 1);
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await eventually(() => log.includes('"event":"draining"'));
    // At once, it is one signal that npm has passed on.
    await eventually(() => !child.kill('SIGTERM'));
    expect((await exited)[0]).toBe(1);
    const other = createTestApp(env, testRuntime({ outlivesClients: true }, 1));
    const learned = await other.call('generate_image', { job_id: structuredContent.job_id });
    expect(learned.content[0]?.text).toContain('job_interrupted');
    expect(await creationsOf(env)).toHaveLength(1);
  });
});
