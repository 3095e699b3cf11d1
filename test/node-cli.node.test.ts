import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { eventually } from './support.ts';

const CLI = fileURLToPath(new URL('../src/node-cli.ts', import.meta.url));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(`${tmpdir()}/gateway-command-`);
});
afterEach(() => rm(folder, { recursive: true }));

/** Runs the command; once it prints a line that matches, it is asked to end. */
async function run(args: string[], env: Record<string, string> = {}, until?: { pattern: RegExp; then: (output: string) => Promise<void> }) {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, env: { XDG_CONFIG_HOME: folder, ...env } });
  let [stdout, stderr] = ['', ''];
  child.stderr.on('data', (chunk) => (stderr += chunk));
  child.stdout.on('data', (chunk) => {
    const before = stdout;
    stdout += chunk;
    if (until?.pattern.test(stdout) && !until.pattern.test(before)) void until.then(stdout).finally(() => child.kill('SIGTERM'));
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

const until = (then: (output: string) => Promise<void> = async () => {}) => ({ pattern: /Ctrl\+C/, then });
const ENV = { OPENAI_API_KEY: 'key-of-openai' };

/** What is to be pasted. */
const settingsOf = (output: string) => JSON.parse(/^\{\n.*?^\}$/ms.exec(output)?.[0] ?? '').mcpServers.openai;

test('prints settings with which a client connects, on loopback alone, and that stay valid', async () => {
  let settings: { url: string; headers: Record<string, string> } | undefined;
  const connect = async (output: string) => {
    settings = settingsOf(output);
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(
      new StreamableHTTPClientTransport(new URL(settings?.url ?? ''), { requestInit: { headers: settings?.headers ?? {} } }),
    );
    expect((await client.listTools()).tools.length).toBeGreaterThan(5);
    await client.close();
  };
  const first = await run(['--port', '0'], ENV, until(connect));
  expect(first).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ {2}page +http:\/\/localhost:\d+$/m) });
  const { Authorization: bearer = '' } = settings?.headers ?? {};
  expect(bearer).toMatch(/^Bearer [0-9a-f]{64}$/);
  const path = /^The key of your clients \(from (.*)\):$/m.exec(first.stdout)?.[1] ?? '';
  expect(path).toContain(folder);
  expect(`Bearer ${(await readFile(path, 'utf8')).trim()}`).toBe(bearer);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  await run(['--port', '0'], ENV, until(connect));
  expect(settings?.headers.Authorization).toBe(bearer);
  expect(first.stderr).not.toContain(bearer.slice(7));
});

test.runIf(process.getuid?.() !== 0)('where the key cannot be kept, it is for this run', async () => {
  await chmod(folder, 0o500);
  const { stdout } = await run(['--port', '0'], ENV, until());
  expect(stdout).toContain('(for this run, as ');
});

test('a folder that is a file is a place where the key cannot be kept', async () => {
  await writeFile(`${folder}/file`, '');
  const { stdout } = await run(['--port', '0'], { ...ENV, XDG_CONFIG_HOME: `${folder}/file` }, until());
  expect(stdout).toMatch(/for this run, as .* cannot be used: .*\):\n {2}[0-9a-f]{64}$/m);
});

test('a file that holds no key is left as it is, and named', async () => {
  const path = `${folder}/openai-mcp-gateway/client-key`;
  await mkdir(`${folder}/openai-mcp-gateway`);
  await writeFile(path, 'mine');
  const { stdout } = await run(['--port', '0'], ENV, until());
  expect(stdout).toContain(`(for this run, as ${path} cannot be used: delete it, or make it writable):`);
  expect(await readFile(path, 'utf8')).toBe('mine');
});

// MacOS has no such address.
test.runIf(process.platform !== 'darwin')('names the address on which it listens where that is no other name of localhost', async () => {
  const connect = async (output: string) => {
    const { url, headers } = settingsOf(output);
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
    await client.close();
    connected = new URL(url).hostname;
  };
  let connected = '';
  await run(['--port', '0', '--host', '127.0.0.2'], ENV, until(connect));
  expect(connected).toBe('127.0.0.2');
});

test('serves although nobody reads its output', async () => {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as AddressInfo;
  free.close();
  await once(free, 'close');
  const child = spawn(process.execPath, [CLI, '--port', String(port)], { cwd: folder, env: { XDG_CONFIG_HOME: folder, ...ENV } });
  child.stdout.destroy();
  child.stderr.resume();
  const exited = once(child, 'exit');
  const isServing = () =>
    fetch(`http://127.0.0.1:${port}/health`).then(
      () => true,
      () => false,
    );
  await eventually(async () => child.exitCode !== null || (await isServing()));
  child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
});

test('with a key of its own, none is made, and it is not printed', async () => {
  const { stdout } = await run(['--port', '0'], { ...ENV, MCP_SERVER_API_KEY: 'a-key-of-the-user-that-is-long' }, until());
  expect(settingsOf(stdout).headers).toEqual({ Authorization: 'Bearer <MCP_SERVER_API_KEY>' });
  expect(stdout).not.toContain('a-key-of-the-user');
  await expect(stat(`${folder}/openai-mcp-gateway`)).rejects.toThrow();
});

describe('what is wrong is said in one sentence', () => {
  test('a port in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await run(['--port', String(port)], ENV);
    other.close();
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^Port ${port} is in use; .*--port.*another port\\.\n$`));
  });

  test.each([
    [['--prot', '1'], /^Unknown option '--prot'; the options are --port, .*--help\.\n$/],
    [['serve'], /^Unexpected argument 'serve'.*; the options are .*\n$/],
    [['--port', '-1'], /^Option '--port' argument is ambiguous; the options are .*--help\.\n$/],
    [['--port'], /^Option '--port <value>' argument missing; the options are .*\n$/],
    [['--port', 'eighty'], /\n {2}PORT .*65535\n$/],
    [['--host', '192.0.2.1', '--port', '0'], /EADDRNOTAVAIL.*HOST/],
    [['--stdio', '--host', '127.0.0.1'], /^--host needs --port with --stdio\.\n$/],
  ])('%j', async (args, sentence) => {
    const { code, stderr, stdout } = await run(args, ENV);
    expect(code).toBe(1);
    expect(stderr).toMatch(sentence);
    expect(stdout).toBe('');
  });
});

test('--help names every option, and --version the version', async () => {
  const { stdout, code } = await run(['--help']);
  expect(code).toBe(0);
  for (const option of ['--port', '--host', '--stdio', '--version', '--help']) expect(stdout).toContain(`  ${option} `);
  expect(await run(['--version'])).toMatchObject({ code: 0, stdout: `${packageJson.version}\n` });
});
