import { inject, vi } from 'vitest';
import { createApp } from '../src/app.ts';
import { loadConfig } from '../src/config.ts';
import { createGateway } from '../src/gateway.ts';
import { createLog, type Log } from '../src/log.ts';
import { createMemorySessions } from '../src/mcp/sse-sessions.ts';
import type { Runtime } from '../src/ports.ts';
import { createRedactor, type Redact } from '../src/redact.ts';
import type { Bindings } from '../src/runtime/workers.ts';
import type { Fault, RecordedRequest } from './stand-ins/openai/accounts.ts';
import type { Bill } from './stand-ins/openai/bills.ts';
import type { VideoSettings } from './stand-ins/openai/videos.ts';

export const CLIENT_KEY = 'client-key-of-the-tests';
const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
/** Those of a client that knows the key. */
export const CLIENT_HEADERS = { ...JSON_HEADERS, authorization: `Bearer ${CLIENT_KEY}` };

export const MODERN = '2026-07-28';
/** What each request of that revision carries in `_meta`. */
export const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

/** Resolves with what becomes true sooner or later, however busy the machine; only what never does fails. */
export function eventually<T>(condition: () => T | Promise<T>): Promise<Awaited<T>> {
  return vi.waitUntil(condition, { timeout: 120_000, interval: 50 }) as Promise<Awaited<T>>;
}

export type Environment = Record<string, string>;

/** An environment whose upstream is the stand-in, under an account of its own, and whose storage is Azurite. */
export function testEnvironment(overrides: Environment = {}): Environment {
  const { connectionString, container, containerUrl } = inject('storage');
  return {
    MCP_SERVER_API_KEY: CLIENT_KEY,
    OPENAI_API_KEY: newAccount(),
    OPENAI_BASE_URL: `${inject('openaiUrl')}/v1`,
    AZURE_STORAGE_CONNECTION_STRING: connectionString,
    AZURE_BLOB_CONTAINER: container,
    AZURE_BLOB_PUBLIC_BASE_URL: containerUrl,
    // Only the tests of waiting are about the default.
    MCP_DEFAULT_WAIT_SECONDS: '600',
    // Records of its own, in the container that all tests share.
    STATE_SECRET: `state-secret-of-one-test-${crypto.randomUUID()}`,
    ...overrides,
  };
}

/** The same with a bucket of the S3 emulator as its storage. */
export function s3Environment(overrides: Environment = {}): Environment {
  const { endpoint, bucket, accessKeyId, secretAccessKey } = inject('s3');
  const credential = { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey };
  return testEnvironment({
    AZURE_STORAGE_CONNECTION_STRING: '',
    AZURE_BLOB_CONTAINER: '',
    AZURE_BLOB_PUBLIC_BASE_URL: '',
    MEDIA_STORE: 's3',
    S3_ENDPOINT: endpoint,
    S3_BUCKET: bucket,
    ...credential,
    ...overrides,
  });
}

/** A key under which the stand-in keeps its own record of requests and faults. */
export function newAccount(): string {
  return `account-${crypto.randomUUID()}`;
}

/** How much faster than the true clock that of the tests goes. */
export const CLOCK_SPEED = 100;
/** It starts behind the true one, so that what it signs stays valid for longer: until it is five minutes ahead. */
const CLOCK_STARTS_BEHIND_MS = 9 * 60_000;

const isWorkerd = navigator.userAgent === 'Cloudflare-Workers';
const createRuntime: (log: Log) => Runtime = isWorkerd
  ? await workersRuntime()
  : (await import('../src/runtime/node.ts')).createNodeRuntime;

/** For S3, which refuses what is signed more than 15 minutes ahead, so that slow machines have minutes. */
export const S3_CLOCK_SPEED = 5;

/** With the bucket of wrangler.toml. */
async function workersRuntime(): Promise<(log: Log) => Runtime> {
  const { createWorkersRuntime } = await import('../src/runtime/workers.ts');
  const bucket = await testBucket();
  return (log) => createWorkersRuntime(log, { MEDIA: bucket });
}

/** On Workers, the bucket of wrangler.toml. */
export async function testBucket(): Promise<Bindings['MEDIA']> {
  return isWorkerd ? ((await import('cloudflare:workers')).env.MEDIA as Bindings['MEDIA']) : undefined;
}

/** Whose media the gateway serves: a folder on Node, a bucket on Workers. */
export async function servedEnvironment(overrides: Environment = {}): Promise<Environment> {
  const { AZURE_STORAGE_CONNECTION_STRING: _, AZURE_BLOB_CONTAINER: __, AZURE_BLOB_PUBLIC_BASE_URL: ___, ...env } = testEnvironment();
  if (isWorkerd) return { ...env, ...overrides };
  const { newFolder } = await import('./media/folder.ts');
  return { ...env, HOST: '127.0.0.1', MEDIA_DIR: newFolder(), MCP_PUBLIC_URL: 'http://localhost', ...overrides };
}

/** The runtime in which the test runs, with a fast clock, and a log that is kept. */
export function testRuntime(overrides: Partial<Runtime> = {}, speed = CLOCK_SPEED): Runtime & { lines: string[]; secrets: string[] } {
  const lines: string[] = [];
  const secrets: string[] = [];
  const redact: Redact = (text, max) => createRedactor(secrets)(text, max);
  const runtime = createRuntime(createLog('debug', { write: (line) => lines.push(line), redact, now: Date.now }));
  const startMs = Date.now();
  const now = () => startMs - CLOCK_STARTS_BEHIND_MS + (Date.now() - startMs) * speed;
  const sleep: Runtime['sleep'] = (ms, signal) => runtime.sleep(ms / speed, signal);
  return { ...runtime, now, sleep, heartbeatMs: 600_000, ...overrides, lines, secrets };
}

/** A clock that only sleeping moves: on a machine that is busy no more time passes than on another. */
export function createSleepClock(speed = 1_000): Pick<Runtime, 'now' | 'sleep'> {
  const { sleep } = testRuntime({}, speed);
  let nowMs = Date.now() - CLOCK_STARTS_BEHIND_MS;
  return {
    now: () => nowMs,
    async sleep(ms, signal) {
      const untilMs = nowMs + ms;
      await sleep(ms, signal);
      nowMs = Math.max(nowMs, untilMs);
    },
  };
}

/** The app over a real upstream and real storage, called without a socket. */
export function createTestApp(env: Environment = testEnvironment(), runtime = testRuntime()) {
  const loaded = loadConfig(env, { ownStore: isWorkerd ? 'r2' : 'file' });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  runtime.secrets.push(...loaded.config.secrets);
  const gateway = createGateway(loaded.config, runtime);
  const sessions = createMemorySessions(gateway.openSseSession, runtime.randomUUID);
  const app = createApp(gateway, { sessions });
  const account = env.AZURE_OPENAI_API_KEY ?? env.OPENAI_API_KEY ?? 'none';

  const post = (message: unknown, headers: Record<string, string> = {}) =>
    app.request('/mcp', {
      method: 'POST',
      headers: { ...CLIENT_HEADERS, ...headers },
      body: typeof message === 'string' ? message : JSON.stringify(message),
    });

  /** One 2025-era request; resolves with the JSON-RPC message that answers it. */
  async function rpc(method: string, params: object = {}): Promise<RpcAnswer> {
    return readAnswer(await post({ jsonrpc: '2.0', id: 1, method, params }));
  }

  /** The result of one tool call. */
  async function call(name: string, args: unknown): Promise<ToolResult> {
    const { result } = await rpc('tools/call', { name, arguments: args });
    if (!result) throw new Error('The tool call was answered with a JSON-RPC error.');
    return result as ToolResult;
  }

  return {
    app,
    gateway,
    sessions,
    post,
    logged: runtime.lines,
    rpc,
    call,
    fail: (...faults: Fault[]) => queueFaults(account, faults),
    /** What is held must have arrived: a release is for what is there. */
    release: async () => {
      await eventually(async () => (await recordedRequests(account)).length > 0);
      await release(account);
    },
    setVideos: (settings: Partial<VideoSettings>) => setVideos(account, settings),
    /** What the stand-in has received. */
    requests: () => recordedRequests(account),
    bills: () => billsOf(account),
  };
}

export type RpcAnswer = { result?: Record<string, unknown>; error?: { code: number; message: string } };

export type ToolResult = {
  isError?: boolean;
  content: { type: string; text: string; uri?: string; mimeType?: string; size?: number; data?: string; annotations?: object }[];
  // biome-ignore lint/suspicious/noExplicitAny: tests look at results of every tool.
  structuredContent: any;
};

export async function queueFaults(account: string, faults: Fault[]): Promise<void> {
  await fetch(`${inject('openaiUrl')}/_control/${account}/faults`, { method: 'POST', body: JSON.stringify(faults) });
}

export async function setVideos(account: string, settings: Partial<VideoSettings>): Promise<void> {
  await fetch(`${inject('openaiUrl')}/_control/${account}/videos`, { method: 'POST', body: JSON.stringify(settings) });
}

/** Whether a request stores something, unlike the check of storage before a paid call, which is made to fail. */
export function isUpload(init: RequestInit | undefined): init is RequestInit {
  const headers = new Headers(init?.headers);
  return init?.method === 'PUT' && !headers.has('if-match') && headers.get('content-type') !== 'application/octet-stream';
}

/** Lets the stand-in send what it was told to hold. */
export async function release(account: string): Promise<void> {
  await fetch(`${inject('openaiUrl')}/_control/${account}/release`, { method: 'POST' });
}

export async function recordedRequests(account: string): Promise<RecordedRequest[]> {
  return (await fetch(`${inject('openaiUrl')}/_control/${account}/requests`)).json() as Promise<RecordedRequest[]>;
}

/** What the stand-in charges for each request, by prices that are not the gateway's. */
async function billsOf(account: string): Promise<Bill[]> {
  return (await fetch(`${inject('openaiUrl')}/_control/${account}/bills`)).json() as Promise<Bill[]>;
}

export type StartOptions = Readonly<{ id?: string | number; url?: string; headers?: Record<string, string>; meta?: object }>;

/** A tool call whose client can leave, sent by an app or by fetch. */
export function startCall(
  send: (request: Request) => Response | Promise<Response>,
  name: string,
  args: object,
  { id = 1, url = 'http://localhost', headers = {}, meta }: StartOptions = {},
) {
  const leaving = new AbortController();
  const params = { name, arguments: args, ...(meta && { _meta: meta }) };
  const body = JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params });
  const init = { method: 'POST', headers: { ...CLIENT_HEADERS, ...headers }, body, signal: leaving.signal };
  const response = Promise.resolve(send(new Request(`${url}/mcp`, init)));
  const result = response.then(readAnswer).then((answer) => answer.result as unknown as ToolResult);
  result.catch(() => {});
  return { leave: () => leaving.abort(), response, result };
}

/** The JSON-RPC message in an answer, plain or as the last event of a stream. */
export async function readAnswer(response: Response): Promise<RpcAnswer> {
  const text = await response.text();
  const lines = text.split('\n').filter((line) => line.startsWith('data: '));
  return JSON.parse(lines.at(-1)?.slice('data: '.length) ?? text);
}
