import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { type ConnectedClient, connectSdk, type Limits, LONG, type TestedClient } from './connect.ts';

const folder = fileURLToPath(new URL('installed/', import.meta.url));
const modules = `${folder}node_modules/`;
/** Both keep files in the home directory. */
const home = mkdtempSync(join(tmpdir(), 'mcp-clients-'));

const inspector = { package: '@modelcontextprotocol/inspector' } as const;
const mcpRemote = { package: 'mcp-remote' } as const;

/** Clients that are programs. */
export const programs: Record<string, TestedClient> = {
  'Inspector CLI, http': {
    ...inspector,
    transport: 'Streamable HTTP',
    revision: '2025-11-25',
    connect: (origin, key) => connectInspector(...atUrl(`${origin}/mcp`, key, 'http')),
  },
  'Inspector CLI, tasks': {
    ...inspector,
    transport: 'Streamable HTTP',
    revision: '2026-07-28',
    connect: (origin, key) => connectInspector(...atUrl(`${origin}/mcp`, key, 'http'), '--protocol-era', 'modern'),
  },
  'Inspector CLI, sse': {
    ...inspector,
    transport: 'SSE',
    revision: '2024-11-05',
    connect: (origin, key) => connectInspector(...atUrl(`${origin}/sse`, key, 'sse')),
  },
  'mcp-remote, http-only': {
    ...mcpRemote,
    transport: 'Streamable HTTP',
    revision: '2025-11-25',
    connect: (origin, key, limits) => connectMcpRemote(limits, `${origin}/mcp`, key, 'http-only'),
  },
  'mcp-remote, sse-only': {
    ...mcpRemote,
    transport: 'SSE',
    revision: '2024-11-05',
    connect: (origin, key, limits) => connectMcpRemote(limits, `${origin}/mcp`, key, 'sse-only'),
  },
};

/** Runs a shell command where npx finds the installed programs. */
export function runShell(command: string): Promise<{ stdout: string; stderr: string }> {
  const env = { ...process.env, HOME: home };
  return promisify(execFile)('bash', ['-c', command], { cwd: folder, env, ...LONG });
}

const atUrl = (url: string, key: string, transport: 'http' | 'sse') => [
  url,
  '--transport',
  transport,
  '--header',
  `Authorization: Bearer ${key}`,
];

/** The command line of the Inspector, which connects anew for each command: to a URL, or to a program that it starts. */
export async function connectInspector(...target: string[]): Promise<ConnectedClient> {
  const launcher = `${modules}@modelcontextprotocol/inspector/clients/launcher/build/index.js`;
  const run = async (...args: string[]) => {
    const options = { env: { ...process.env, HOME: home }, ...LONG };
    const command = [launcher, '--cli', ...target, ...args];
    // It prints a result that is an error, and then fails.
    const { stdout } = await promisify(execFile)(process.execPath, command, options).catch((error) => error);
    return JSON.parse(stdout);
  };
  const toPair = ([name, value]: [string, unknown]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`;
  return {
    protocol: undefined,
    listTools: async () => (await run('--method', 'tools/list')).tools,
    callTool(name, args) {
      const pairs = Object.entries(args).map(toPair);
      return run('--method', 'tools/call', '--tool-name', name, ...(pairs.length > 0 ? ['--tool-arg', ...pairs] : []));
    },
    close: async () => {},
  };
}

/** How mcp-remote is started, as by Claude Desktop: a program that speaks stdio. */
export function mcpRemoteCommand(url: string, key: string, transport: 'http-only' | 'sse-only') {
  const args = [url, '--header', `Authorization:Bearer ${key}`, '--allow-http', '--transport', transport];
  return {
    command: process.execPath,
    args: [`${modules}mcp-remote/dist/proxy.js`, ...args],
    env: { ...(process.env as Record<string, string>), HOME: home, MCP_REMOTE_CONFIG_DIR: home },
  };
}

function connectMcpRemote(limits: Limits | undefined, ...options: Parameters<typeof mcpRemoteCommand>): Promise<ConnectedClient> {
  return connectSdk(new StdioClientTransport({ ...mcpRemoteCommand(...options), stderr: 'ignore' }), limits);
}
