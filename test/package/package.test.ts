import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { ContainerClient } from '@azure/storage-blob';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { argsOf, calls } from '../clients/calls.ts';
import {
  type Environment,
  eventually,
  newAccount,
  queueFaults,
  recordedRequests,
  release,
  setVideos,
  type ToolResult,
  testEnvironment,
} from '../support.ts';
import { buildPackage } from './build.ts';

const MAX_TARBALL_BYTES = 1_200_000;
const INITIALIZE = {
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};
const run = promisify(execFile);

/** This one, and those that a user of this machine would have: where the PATH leads outside of this project. */
const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));
const versions = new Map<string, string>();
for (const node of [...folders.map((folder) => join(folder, 'node')), process.execPath]) {
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  if (stdout && isSupported(stdout.trim())) versions.set(stdout.trim(), node);
}

/** As the manifest says: from 22.13 on, Node has SQLite, by which processes share a folder. */
function isSupported(version: string): boolean {
  const [major = 0, minor = 0] = version.slice(1).split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 13);
}

let temporary: string;
let tarball: string;
let installed: string;

beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'gateway-package-'));
  tarball = await buildPackage(join(temporary, 'package'));
  installed = join(temporary, 'empty');
  await mkdir(installed);
  const startMs = Date.now();
  await run('npm', ['install', tarball, '--no-audit', '--no-fund'], { cwd: installed });
  console.log(
    `tarball: ${(await stat(tarball)).size} bytes; installed in ${Date.now() - startMs} ms; run with ${[...versions.keys()].join(', ')}`,
  );
});
afterAll(() => rm(temporary, { recursive: true }));

/** What a user sets, but for where the stand-in is. */
function environment(): Environment {
  const { MCP_SERVER_API_KEY: _, ...env } = testEnvironment({ XDG_CONFIG_HOME: join(temporary, 'home') });
  return env;
}

/** As the settings of a desktop client start it. */
function npxSettings(node: string, env: Record<string, string>) {
  const PATH = [join(node, '..'), ...folders].join(delimiter);
  const args = ['--no-install', 'openai-mcp-gateway', '--stdio'];
  return { command: 'npx', args, cwd: installed, env: { ...env, PATH, HOME: join(temporary, 'home') } };
}

function startNpx(node: string, environment: Record<string, string>) {
  const { command, args, cwd, env } = npxSettings(node, environment);
  return spawn(command, args, { cwd, env });
}

test('the tarball has the program and what explains it, and nothing else', async () => {
  const { stdout } = await run('tar', ['-tzf', tarball]);
  const files = stdout
    .trim()
    .split('\n')
    .map((path) => path.replace(/^package\//, ''));
  const shape = /^(package\.json|README\.md|LICENSE|THIRD-PARTY-LICENSES|dist\/[\w-]+\.js)$/;
  expect(files.filter((file) => !shape.test(file))).toEqual([]);
  expect((await stat(tarball)).size).toBeLessThan(MAX_TARBALL_BYTES);
  const licenses = await readFile(join(temporary, 'package/THIRD-PARTY-LICENSES'), 'utf8');
  for (const name of ['hono', 'openai', 'undici', 'zod', 'core-js']) expect(licenses).toMatch(new RegExp(`^${name}\n\n`, 'm'));
});

test('nothing is installed besides but sharp and what belongs to it', async () => {
  const packages = (await readdir(join(installed, 'node_modules'))).filter((name) => !name.startsWith('.'));
  expect(packages.toSorted()).toEqual(['@img', 'detect-libc', 'openai-mcp-gateway', 'semver', 'sharp']);
});

describe.each([...versions])('on Node %s', (_, node) => {
  test('one command serves every tool', async () => {
    const env = environment();
    await setVideos(env.OPENAI_API_KEY ?? '', { jobSeconds: 1 });
    const child = spawn(node, ['node_modules/openai-mcp-gateway/dist/cli.js', '--port', '0'], { cwd: installed, env });
    child.stderr.resume();
    let output = '';
    for await (const line of createInterface(child.stdout)) {
      output += `${line}\n`;
      if (line.includes('Ctrl+C')) break;
    }
    const { url, headers } = JSON.parse(/^\{\n.*?^\}$/ms.exec(output)?.[0] ?? '').mcpServers.openai;
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
    const outcomes = Object.entries(calls).map(async ([name, call]) =>
      call.check((await client.callTool({ name, arguments: await argsOf(call) })) as ToolResult),
    );
    await Promise.all(outcomes);
    const shown = { name: 'generate_image', arguments: { prompt: 'a bridge', size: '256x128', inline_preview: true } };
    expect(((await client.callTool(shown)) as ToolResult).content).toContainEqual(expect.objectContaining({ mimeType: 'image/webp' }));
    await client.close();
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  test('what npx runs outlives a client that kills it, until what is billed is stored', async () => {
    const folder = crypto.randomUUID();
    const account = newAccount();
    const env = { ...environment(), OPENAI_API_KEY: account, AZURE_BLOB_PATH_PREFIX: folder };
    await queueFaults(account, [{ at: 'images', hold: 'half' }]);
    const npx = startNpx(node, env);
    const call = { name: 'generate_image', arguments: { prompt: 'a lamp', size: '64x64' } };
    for (const message of [INITIALIZE, { id: 1, method: 'tools/call', params: call }])
      npx.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
    await eventually(async () => (await recordedRequests(account)).some(({ path }) => path.includes('images')));
    npx.kill('SIGKILL');
    for (const stream of [npx.stdin, npx.stdout, npx.stderr]) stream.destroy();
    await release(account);
    const { connectionString, container } = inject('storage');
    const images = () => new ContainerClient(connectionString, container).listBlobsFlat({ prefix: `${folder}/images/` });
    await eventually(async () => (await Array.fromAsync(images())).length === 1);
  });

  test('and --stdio, as desktop clients start it', async () => {
    const client = new LegacyClient({ name: 'test', version: '1' });
    await client.connect(new StdioClientTransport({ ...npxSettings(node, environment()), stderr: 'ignore' }));
    const call = { name: 'chat_completion', arguments: { prompt: 'Hello' } };
    expect(((await client.callTool(call)) as ToolResult).structuredContent.text).toBe('The stand-in was asked: Hello');
    await client.close();
  });
});
