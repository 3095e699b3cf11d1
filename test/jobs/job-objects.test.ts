import { expect, test } from 'vitest';
import { createApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config.ts';
import { assemble, createParts } from '../../src/gateway.ts';
import type { AlarmStorage } from '../../src/jobs/job-alarm.ts';
import { createCallForwarder } from '../../src/mcp/durable-calls.ts';
import { createMemorySessions, type SseSessions } from '../../src/mcp/sse-sessions.ts';
import type { Runtime } from '../../src/ports.ts';
import { createWorkerEntry, type WorkerEnv } from '../../src/worker-entry.ts';
import {
  CLIENT_KEY,
  type Environment,
  eventually,
  queueFaults,
  readAnswer,
  recordedRequests,
  setVideos,
  type ToolResult,
  testEnvironment,
  testRuntime,
} from '../support.ts';

/** What the platform keeps of an object. */
function createStorage() {
  const values = new Map<string, unknown>();
  let alarmMs: number | undefined;
  const storage: AlarmStorage = {
    get: async (key) => values.get(key),
    put: async (key, value) => void values.set(key, value),
    async setAlarm(scheduledMs) {
      alarmMs = scheduledMs;
    },
    async deleteAll() {
      values.clear();
      alarmMs = undefined;
    },
  };
  return { storage, isEmpty: () => values.size === 0 && alarmMs === undefined, hasAlarm: () => alarmMs !== undefined };
}

type Storages = Map<unknown, ReturnType<typeof createStorage>>;
type PlatformOptions = {
  env: Environment;
  objectRuntime?: Partial<Runtime>;
  fetchObject?: typeof fetch;
  /** Of objects that another platform has lost. */
  storages?: Storages;
};

/** A Worker with its objects, as the platform keeps them: one for each name. */
function createPlatform({ env, objectRuntime, fetchObject, storages = new Map() }: PlatformOptions) {
  const loaded = loadConfig(env);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const runtime = testRuntime();
  const parts = createParts(loaded.config, runtime);
  const objects = new Map<unknown, { fetch: (request: Request) => Response | Promise<Response>; alarm: () => Promise<void> }>();
  const { worker, JobObject } = createWorkerEntry(({ JOBS }) => {
    const gateway = assemble(parts, { ...runtime, outlivesClients: false });
    const sessions: SseSessions = createMemorySessions(gateway.openSseSession, runtime.randomUUID);
    return {
      assembleObject: (state, onJobsChange) =>
        assemble(parts, { ...runtime, outlivesClients: true, waitUntil: state.waitUntil, ...objectRuntime }, { onJobsChange }),
      handle: createApp(gateway, { sessions, forwardCall: createCallForwarder(JOBS, runtime.log) }).fetch,
    };
  });
  const workerEnv: WorkerEnv = { SSE_SESSIONS: namespace(), JOBS: namespace(), ACCOUNTS: namespace() };

  function objectOf(name: unknown) {
    const kept = storages.get(name) ?? createStorage();
    storages.set(name, kept);
    const object = objects.get(name) ?? new JobObject({ storage: kept.storage, waitUntil: () => {} }, workerEnv);
    objects.set(name, object);
    return object;
  }

  function namespace() {
    const fetchOf =
      (name: unknown): typeof fetch =>
      async (input) =>
        objectOf(name).fetch(input as Request);
    return { idFromName: (name: string) => name, get: (name: unknown) => ({ fetch: fetchObject ?? fetchOf(name) }) };
  }

  const headers = { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' };
  const post = async (message: object) =>
    worker.fetch(
      new Request('http://localhost/mcp', { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...message }) }),
      workerEnv,
    );
  return {
    post,
    call: async (name: string, args: object) =>
      (await readAnswer(await post({ id: 1, method: 'tools/call', params: { name, arguments: args } }))).result as ToolResult,
    requests: () => recordedRequests(env.OPENAI_API_KEY ?? ''),
    fail: (fault: object) => queueFaults(env.OPENAI_API_KEY ?? '', [fault]),
    names: () => [...storages.keys()] as string[],
    storageOf: (name: string) => storages.get(name),
    ring: (name: string) => objectOf(name).alarm(),
    /** What the record says. */
    jobAt: async (place: string) => {
      const found = await parts.sealed?.jobs.read(place);
      return (found?.value as { jobs: { id: string; state: string; checkpoint?: string }[] } | undefined)?.jobs[0];
    },
  };
}

/** In which no time passes, so that nothing that waits ever goes on. */
const DEAD: Partial<Runtime> = { sleep: () => new Promise(() => {}) };
const IMAGE = { prompt: 'a lighthouse', size: '64x64' };

test('identical calls meet in one object, which keeps nothing once its job is done', async () => {
  const platform = createPlatform({ env: testEnvironment() });
  const first = await platform.call('generate_image', IMAGE);
  await platform.call('generate_image', IMAGE);
  expect(first.structuredContent).toMatchObject({ images: [{ url: expect.any(String) }] });
  expect(platform.names()).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
  await eventually(() => platform.storageOf(platform.names()[0] ?? '')?.isEmpty());
});

test('calls that are no jobs need no object', async () => {
  const platform = createPlatform({ env: testEnvironment() });
  await platform.call('chat_completion', { prompt: 'Hello' });
  await platform.call('list_supported_models', {});
  await platform.call('generate_image', { prompt: 1 });
  await platform.call('generate_image', { job_id: 'job-1' });
  expect(platform.names()).toEqual([]);
});

test('the alarm waits for the lease, then marks what was lost, and sends nothing', async () => {
  const env = testEnvironment();
  const storages: Storages = new Map();
  const lost = createPlatform({ env, storages, objectRuntime: DEAD });
  await lost.fail({ hold: 'all' });
  void lost.call('generate_image', IMAGE).catch(() => {});
  await eventually(async () => (await lost.requests()).length === 1);
  const [place = ''] = lost.names();
  expect(lost.storageOf(place)?.hasAlarm()).toBe(true);

  const platform = createPlatform({ env, storages });
  const state = async () => (await platform.jobAt(place))?.state;
  expect(await state()).toBe('running');
  await eventually(async () => {
    await platform.ring(place);
    return (await state()) === 'interrupted';
  });
  expect(platform.storageOf(place)?.isEmpty()).toBe(true);
  expect(await platform.requests()).toHaveLength(1);
});

test('a lost job that can be continued is not marked', async () => {
  const env = testEnvironment();
  await setVideos(env.OPENAI_API_KEY ?? '', { jobSeconds: 600 });
  const storages: Storages = new Map();
  const lost = createPlatform({ env, storages, objectRuntime: DEAD });
  void lost.call('generate_video', { prompt: 'waves' }).catch(() => {});
  await eventually(async () => (await lost.jobAt(lost.names()[0] ?? 'none'))?.checkpoint);
  const [place = ''] = lost.names();
  const platform = createPlatform({ env, storages });
  await platform.ring(place);
  expect(platform.storageOf(place)?.isEmpty()).toBe(true);
  expect((await platform.jobAt(place))?.state).toBe('running');
});

test('what a lost job has cost is in the result of the call that continues it', async () => {
  const env = testEnvironment({ MODEL_PRICES: '{"sora-2": "sora-2"}' });
  await setVideos(env.OPENAI_API_KEY ?? '', { jobSeconds: 1 });
  const storages: Storages = new Map();
  const lost = createPlatform({ env, storages, objectRuntime: DEAD });
  void lost.call('generate_video', { prompt: 'waves' }).catch(() => {});
  await eventually(async () => (await lost.jobAt(lost.names()[0] ?? 'none'))?.checkpoint);
  const jobId = (await lost.jobAt(lost.names()[0] ?? 'none'))?.id;
  const { structuredContent } = await createPlatform({ env, storages }).call('generate_video', { job_id: jobId });
  expect(structuredContent).toMatchObject({ status: 'completed', collected: true, cost_usd: 0.4 });
});

test('an object that is lost during a call says what to do', async () => {
  const platform = createPlatform({ env: testEnvironment(), fetchObject: () => Promise.reject(new Error('The object was reset.')) });
  const response = await platform.post({ id: 7, method: 'tools/call', params: { name: 'generate_image', arguments: IMAGE } });
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ id: 7, error: { message: expect.stringMatching(/may have been billed.*same arguments/) } });
});
