import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ContainerClient } from '@azure/storage-blob';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { tools } from '../src/tools/index.ts';
import { eventually, newAccount, queueFaults, recordedRequests, release, type ToolResult, testEnvironment } from './support.ts';

const CLI = fileURLToPath(new URL('../src/node-cli.ts', import.meta.url));
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 'first',
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};
const IMAGE = { name: 'generate_image', arguments: { prompt: 'a lamp', size: '64x64' } };
const container = new ContainerClient(inject('storage').connectionString, inject('storage').container);

let home: string;
beforeAll(async () => {
  home = await mkdtemp(`${tmpdir()}/gateway-home-`);
});
afterAll(() => rm(home, { recursive: true }));

/** What a desktop client's settings have. No client has a key. */
function settings(account = newAccount(), folder: string = crypto.randomUUID()) {
  const { MCP_SERVER_API_KEY: _, ...env } = testEnvironment({
    OPENAI_API_KEY: account,
    AZURE_BLOB_PATH_PREFIX: folder,
    XDG_CONFIG_HOME: home,
  });
  return { command: process.execPath, args: [CLI, '--stdio'], env, stderr: 'ignore' as const };
}

const stored = (folder: string) => Array.fromAsync(container.listBlobsFlat({ prefix: `${folder}/images/` }), ({ name }) => name);
const sent = async (account: string, path: string) => (await recordedRequests(account)).filter((request) => request.path.includes(path));

describe.each(['legacy', 'auto', '2026-07-28'])('the SDK for 2026, as %s', (mode) => {
  const account = newAccount();
  const client = new Client(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode: mode === 'legacy' || mode === 'auto' ? mode : { pin: mode } } },
  );
  beforeAll(() => client.connect(new StdioClientTransport(settings(account))));
  afterAll(() => client.close());

  test('lists every tool', async () => {
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(tools.map(({ name }) => name));
    expect(client.getNegotiatedProtocolVersion()).toBe(mode === 'legacy' ? '2025-11-25' : '2026-07-28');
  });

  test('gets the results of calls at once, of whatever length', async () => {
    const calls = ['one', 'two', 'three'].map((prompt) => client.callTool({ name: 'chat_completion', arguments: { prompt } }));
    const image = (await client.callTool(IMAGE)) as ToolResult;
    expect((await fetch(image.structuredContent.images[0].url)).headers.get('content-type')).toBe('image/png');
    const texts = (await Promise.all(calls)).map((result) => (result as ToolResult).structuredContent.text);
    expect(texts).toEqual(['one', 'two', 'three'].map((prompt) => `The stand-in was asked: ${prompt}`));
  });

  test('is told of progress, and ends a call by cancelling it', async () => {
    await queueFaults(account, [{ at: 'chat', hold: 'all' }]);
    const stop = new AbortController();
    const before = (await sent(account, '/chat/')).length;
    let told = 0;
    const call = client.callTool(
      { name: 'chat_completion', arguments: { prompt: 'Hello' } },
      { signal: stop.signal, onprogress: () => told++ },
    );
    call.catch(() => {});
    await eventually(async () => (await sent(account, '/chat/')).length > before && told > 0);
    stop.abort();
    await expect(call).rejects.toThrow();
    await eventually(async () => (await sent(account, '/chat/')).at(-1)?.brokenOffAtMs);
  });
});

test('the SDK for 2025 lists and calls, as the principal "local"', async () => {
  const client = new LegacyClient({ name: 'test', version: '1' });
  const transport = new LegacyTransport({ ...settings(), stderr: 'pipe' });
  let log = '';
  transport.stderr?.on('data', (chunk) => (log += chunk));
  await client.connect(transport);
  expect((await client.listTools()).tools).toHaveLength(tools.length);
  const { structuredContent } = (await client.callTool(IMAGE)) as ToolResult;
  expect((await fetch(structuredContent.images[0].url)).ok).toBe(true);
  const list = async () => ((await client.callTool({ name: 'list_media', arguments: {} })) as ToolResult).structuredContent.media;
  expect((await eventually(async () => (await list())[0])).tool).toBe('generate_image');
  const upload = (await client.callTool({ name: 'create_upload', arguments: {} })) as ToolResult;
  expect(upload.content[0]?.text).toContain('MCP_PUBLIC_URL');
  await eventually(() => /"tool_call".*"principal":"local"/.test(log));
  await client.close();
});

/** A client that writes what it likes. */
function start(options: { account?: string; folder?: string; args?: string[]; env?: Record<string, string> } = {}) {
  const { command, args, env } = settings(options.account, options.folder);
  const child = spawn(command, [...args, ...(options.args ?? [])], { env: { ...env, ...options.env } });
  const lines: string[] = [];
  createInterface(child.stdout).on('line', (line) => lines.push(line));
  let log = '';
  child.stderr.on('data', (chunk) => (log += chunk));
  const messages = () => lines.map((line) => JSON.parse(line));
  return {
    child,
    log: () => log,
    messages,
    write: (...sent: unknown[]) =>
      child.stdin.write(sent.map((one) => `${typeof one === 'string' ? one : JSON.stringify(one)}\n`).join('')),
    answerTo: (id: unknown) => eventually(() => messages().find((message) => message.id === id)),
    exited: exitOf(child),
  };
}

const exitOf = async (child: ChildProcess) => (await once(child, 'exit'))[0] as number | null;
const callOf = (id: number, call: object) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: call });

test('lines that are no messages are passed over, and stdout has nothing but messages', async () => {
  const server = start({ env: { LOG_LEVEL: 'debug', MCP_ALLOWED_HOST: 'misspelled' } });
  server.write(INITIALIZE, 'hello', '', '{"jsonrpc":"2.0"', '[1, 2', `${'['.repeat(100_000)}`, '{"id":1}', 'null', '\u0000\uFFFD');
  server.write(callOf(1, { name: 'list_supported_models' }), callOf(2, { name: 3 }), callOf(3, { name: 'nonsense' }));
  expect((await server.answerTo(1)).result.structuredContent.models).toBeDefined();
  expect((await server.answerTo(2)).error.message).toBe('Invalid tools/call request: params.name must be the name of a tool.');
  expect((await server.answerTo(3)).error.message).toContain('Unknown tool nonsense');
  server.child.stdin.end();
  expect(await server.exited).toBe(0);
  expect(server.messages().every(({ jsonrpc }) => jsonrpc === '2.0')).toBe(true);
  for (const line of server.log().trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('event');
  expect(server.log()).toContain('did you mean MCP_ALLOWED_HOSTS?');
});

test('a message of more than 4 MiB ends the connection, and the log says why', async () => {
  const server = start();
  server.child.stdin.on('error', () => {});
  server.write(INITIALIZE, callOf(1, { name: 'chat_completion', arguments: { prompt: 'x'.repeat(5 * 1024 * 1024) } }));
  expect(await server.exited).toBe(0);
  expect(server.log()).toContain('"reason":"message_too_long"');
});

test('a client that reads slowly gets every answer, and the log has no warnings of Node', async () => {
  const { child, write, messages, log, exited } = start();
  child.stdout.pause();
  const lists = Array.from({ length: 30 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'tools/list' }));
  write(INITIALIZE, ...lists, callOf(30, { name: 'list_supported_models' }));
  await eventually(() => log().includes('"tool_call"'));
  child.stdout.resume();
  await eventually(() => messages().length === 32);
  child.stdin.end();
  expect(await exited).toBe(0);
  for (const line of log().trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('event');
});

describe('what is paid for is stored, and the process ends', () => {
  test.each(['closes stdin', 'dies'])('when the client %s', async (how) => {
    const [account, folder] = [newAccount(), crypto.randomUUID()];
    await queueFaults(account, [{ at: 'images', hold: 'half' }]);
    const { child, exited, write } = start({ account, folder });
    write(INITIALIZE, callOf(1, IMAGE));
    await eventually(async () => (await sent(account, '/images')).length === 1);
    child.stdin.end();
    if (how === 'dies') {
      child.stdout.destroy();
      child.stderr.destroy();
    }
    // As clients do when a server does not end at once.
    child.kill('SIGTERM');
    expect(await stored(folder)).toEqual([]);
    await release(account);
    expect(await exited).toBe(0);
    expect(await stored(folder)).toHaveLength(1);
  });

  // Npm passes on the Ctrl+C that its program has got from the terminal.
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'when it gets %s, and again at once: what runs is answered, what comes is refused',
    async (signal) => {
      const [account, folder] = [newAccount(), crypto.randomUUID()];
      await queueFaults(account, [{ at: 'images', hold: 'half' }]);
      const { child, exited, write, answerTo, log } = start({ account, folder });
      write(INITIALIZE, callOf(1, IMAGE));
      await eventually(async () => (await sent(account, '/images')).length === 1);
      child.kill(signal);
      await eventually(() => log().includes('"draining"'));
      child.kill(signal);
      write(callOf(2, { name: 'list_supported_models' }));
      expect((await answerTo(2)).error.message).toContain('shutting down');
      await release(account);
      expect((await answerTo(1)).result.structuredContent.images).toHaveLength(1);
      expect(await exited).toBe(0);
      expect(await stored(folder)).toHaveLength(1);
    },
  );
});

test('MCP_PRINCIPAL_DEFAULTS limits the client', async () => {
  const { write, answerTo, child, exited } = start({ env: { MCP_PRINCIPAL_DEFAULTS: '{"calls_per_minute": 1}' } });
  write(INITIALIZE, callOf(1, { name: 'list_supported_models' }), callOf(2, { name: 'list_supported_models' }));
  expect((await answerTo(1)).result).toBeDefined();
  expect((await answerTo(2)).error).toMatchObject({ code: -32029, message: expect.stringContaining('1 tool calls a minute') });
  child.stdin.end();
  await exited;
});

test('with --port, there is a port as well, which uploads go to', async () => {
  const { write, answerTo, child, exited, log } = start({ args: ['--port', '0'] });
  await eventually(() => log().includes('"listening"'));
  write(INITIALIZE, callOf(1, { name: 'create_upload', arguments: {} }));
  const { upload_url } = (await answerTo(1)).result.structuredContent;
  expect((await fetch(new URL('/health', upload_url))).ok).toBe(true);
  child.stdin.end();
  expect(await exited).toBe(0);
});

test('with a --port that another window has, all works but what needs the port', async () => {
  const first = start({ args: ['--port', '0'] });
  const port = await eventually(() => /"event":"listening".*"port":(\d+)/.exec(first.log())?.[1]);
  const { write, answerTo, child, exited, log } = start({ args: ['--port', port ?? ''] });
  write(INITIALIZE, callOf(1, IMAGE), callOf(2, { name: 'create_upload', arguments: {} }));
  expect((await answerTo(1)).result.structuredContent.images).toHaveLength(1);
  expect((await answerTo(2)).result.content[0].text).toContain('MCP_PUBLIC_URL');
  expect(log()).toContain('"port_in_use"');
  for (const one of [first.child, child]) one.stdin.end();
  expect(await Promise.all([first.exited, exited])).toEqual([0, 0]);
});
