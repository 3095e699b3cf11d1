import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { expect } from 'vitest';
import type { ToolResult } from '../support.ts';

export type ConnectedClient = {
  /** Undefined where the client does not tell. */
  protocol: string | undefined;
  /** It is a program that makes one call and ends. */
  startsForEachCall?: true;
  listTools: () => Promise<{ name: string }[]>;
  callTool: (name: string, args: Record<string, unknown>) => Promise<ToolResult>;
  close: () => Promise<void>;
};

/** Connects to the gateway at an origin such as `http://127.0.0.1:8000`, with this key. */
export type Connect = (origin: string, key: string) => Promise<ConnectedClient>;

const modules = fileURLToPath(new URL('../../node_modules/', import.meta.url));
/** mcp-remote and the Inspector keep files in the home directory. */
const home = mkdtempSync(join(tmpdir(), 'mcp-clients-'));
/** Ends what hangs; nothing takes as long on any machine. */
const HANGS_AFTER_MS = 120_000;
const authorization = (key: string) => `Bearer ${key}`;
const requestInit = (key: string) => ({ requestInit: { headers: { Authorization: authorization(key) } } });

/** Each client, in each of its ways to connect. */
export const clients: Record<string, Connect> = {
  'SDK 1.x, Streamable HTTP': (origin, key) => connectSdk(new StreamableHTTPClientTransport(new URL(`${origin}/mcp`), requestInit(key))),
  'SDK 1.x, SSE, /sse': (origin, key) => connectSdk(new SSEClientTransport(new URL(`${origin}/sse`), requestInit(key))),
  'SDK 1.x, SSE, mcp.json snippet': connectBySnippet,
  'SDK 2.x, 2026-07-28': (origin, key) => connectModern(origin, key, { pin: '2026-07-28' }),
  'SDK 2.x, 2025 era': (origin, key) => connectModern(origin, key, 'legacy'),
  'SDK 2.x, negotiating': (origin, key) => connectModern(origin, key, 'auto'),
  'Inspector CLI, http': (origin, key) => connectInspector(`${origin}/mcp`, key, 'http'),
  'Inspector CLI, sse': (origin, key) => connectInspector(`${origin}/sse`, key, 'sse'),
  'mcp-remote, http-only': (origin, key) => connectMcpRemote(`${origin}/mcp`, key, 'http-only'),
  'mcp-remote, sse-only': (origin, key) => connectMcpRemote(`${origin}/mcp`, key, 'sse-only'),
};

async function connectSdk(transport: object): Promise<ConnectedClient> {
  const client = new Client({ name: 'test', version: '1' });
  let protocol: string | undefined;
  // Every transport is told what was agreed on; that of stdio and that of SSE do not tell it in turn.
  const told = Object.assign(transport, { setProtocolVersion: tellBefore(transport, (version) => (protocol = version)) });
  await client.connect(told as unknown as Transport);
  return {
    protocol,
    listTools: async () => (await client.listTools()).tools,
    callTool: async (name, args) =>
      (await client.callTool({ name, arguments: args }, undefined, { timeout: HANGS_AFTER_MS })) as ToolResult,
    close: () => client.close(),
  };
}

function tellBefore(transport: object, tell: (version: string) => void): (version: string) => void {
  const set = (transport as { setProtocolVersion?: (version: string) => void }).setProtocolVersion;
  return (version) => {
    tell(version);
    set?.call(transport, version);
  };
}

/** The README's entry of `mcp.json` for `"type": "sse"`, read as VS Code does; the address is what tests choose. */
async function connectBySnippet(origin: string, key: string): Promise<ConnectedClient> {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const [, snippet = ''] = /```json\n(\{"servers": \{"fastmcp-openai".*)\n```/.exec(readme) ?? [];
  const { transport } = JSON.parse(snippet.replace(/\$\{env:MCP_SERVER_API_KEY\}/, key)).servers['fastmcp-openai'];
  expect(transport).toMatchObject({ type: 'sse', url: 'http://localhost:8000/mcp' });
  const address = new URL(new URL(transport.url).pathname, origin);
  return connectSdk(new SSEClientTransport(address, { requestInit: { headers: transport.headers } }));
}

async function connectModern(origin: string, key: string, mode: 'legacy' | 'auto' | { pin: string }): Promise<ConnectedClient> {
  const client = new ModernClient({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
  await client.connect(new ModernTransport(new URL(`${origin}/mcp`), requestInit(key)));
  return {
    protocol: client.getNegotiatedProtocolVersion(),
    listTools: async () => (await client.listTools()).tools,
    callTool: async (name, args) => (await client.callTool({ name, arguments: args }, { timeout: HANGS_AFTER_MS })) as ToolResult,
    close: () => client.close(),
  };
}

/** The command line of the Inspector, which connects anew for each command. */
async function connectInspector(url: string, key: string, transport: 'http' | 'sse'): Promise<ConnectedClient> {
  const launcher = `${modules}@modelcontextprotocol/inspector/clients/launcher/build/index.js`;
  const run = async (...args: string[]) => {
    const target = [url, '--transport', transport, '--header', `Authorization: ${authorization(key)}`];
    const options = { env: { ...process.env, HOME: home }, timeout: HANGS_AFTER_MS };
    const command = [launcher, '--cli', ...target, ...args];
    // It prints a result that is an error, and then fails.
    const { stdout } = await promisify(execFile)(process.execPath, command, options).catch((error) => error);
    return JSON.parse(stdout);
  };
  const toPair = ([name, value]: [string, unknown]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`;
  return {
    protocol: undefined,
    startsForEachCall: true,
    listTools: async () => (await run('--method', 'tools/list')).tools,
    callTool: (name, args) => run('--method', 'tools/call', '--tool-name', name, '--tool-arg', ...Object.entries(args).map(toPair)),
    close: async () => {},
  };
}

/** How mcp-remote is started, as by Claude Desktop: a program that speaks stdio. */
export function mcpRemoteCommand(url: string, key: string, transport: 'http-only' | 'sse-only') {
  const args = [url, '--header', `Authorization:${authorization(key)}`, '--allow-http', '--transport', transport];
  return {
    command: process.execPath,
    args: [`${modules}mcp-remote/dist/proxy.js`, ...args],
    env: { ...(process.env as Record<string, string>), HOME: home, MCP_REMOTE_CONFIG_DIR: home },
  };
}

function connectMcpRemote(...options: Parameters<typeof mcpRemoteCommand>): Promise<ConnectedClient> {
  return connectSdk(new StdioClientTransport({ ...mcpRemoteCommand(...options), stderr: 'ignore' }));
}
