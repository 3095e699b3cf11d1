import { readFile } from 'node:fs/promises';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { expect } from 'vitest';
import type { ToolResult } from '../support.ts';

export type ConnectedClient = {
  /** Undefined where the client does not tell. */
  protocol: string | undefined;
  listTools: () => Promise<{ name: string }[]>;
  callTool: (name: string, args: Record<string, unknown>) => Promise<ToolResult>;
  close: () => Promise<void>;
};

/** Connects to the gateway at an origin such as `http://127.0.0.1:8000`, with this key. */
type Connect = (origin: string, key: string, limits?: Limits) => Promise<ConnectedClient>;

/** How long a call may take; without one, as long as the client lets it. */
export type Limits = Readonly<{ timeout?: number }>;

/** A client in one of its ways to connect. */
export type TestedClient = {
  /** Its package on npm. */
  package: string;
  transport: 'Streamable HTTP' | 'SSE';
  /** The protocol revision with which it must speak. */
  revision: '2024-11-05' | '2025-11-25' | '2026-07-28';
  connect: Connect;
};

/** Ends what hangs; nothing takes as long on any machine. */
const HANGS_AFTER_MS = 120_000;
export const LONG: Limits = { timeout: HANGS_AFTER_MS };
const requestInit = (key: string) => ({ requestInit: { headers: { Authorization: `Bearer ${key}` } } });

const sdk1 = { package: '@modelcontextprotocol/sdk' } as const;
const sdk2 = { package: '@modelcontextprotocol/client', transport: 'Streamable HTTP' } as const;

/** The clients of the MCP SDKs. */
export const sdkClients = {
  'SDK 1.x': {
    ...sdk1,
    transport: 'Streamable HTTP',
    revision: '2025-11-25',
    connect: (origin, key) => connectSdk(new StreamableHTTPClientTransport(new URL(`${origin}/mcp`), requestInit(key))),
  },
  'SDK 1.x, /sse': {
    ...sdk1,
    transport: 'SSE',
    revision: '2024-11-05',
    connect: (origin, key) => connectSdk(new SSEClientTransport(new URL(`${origin}/sse`), requestInit(key))),
  },
  'SDK 1.x, mcp.json snippet': { ...sdk1, transport: 'SSE', revision: '2024-11-05', connect: connectBySnippet },
  'SDK 2.x, pinned': { ...sdk2, revision: '2026-07-28', connect: (origin, key) => connectModern(origin, key, { pin: '2026-07-28' }) },
  'SDK 2.x, legacy': { ...sdk2, revision: '2025-11-25', connect: (origin, key) => connectModern(origin, key, 'legacy') },
  'SDK 2.x, negotiating': { ...sdk2, revision: '2026-07-28', connect: (origin, key) => connectModern(origin, key, 'auto') },
} satisfies Record<string, TestedClient>;

/** The client of the SDK 1.x, over any transport. */
export async function connectSdk(transport: object, limits = LONG): Promise<ConnectedClient> {
  const client = new Client({ name: 'test', version: '1' });
  let protocol: string | undefined;
  // Every transport is told what was agreed on; that of stdio and that of SSE do not tell it in turn.
  const told = Object.assign(transport, { setProtocolVersion: tellBefore(transport, (version) => (protocol = version)) });
  await client.connect(told as unknown as Transport);
  return {
    protocol,
    listTools: async () => (await client.listTools()).tools,
    callTool: async (name, args) => (await client.callTool({ name, arguments: args }, undefined, limits)) as ToolResult,
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
    callTool: async (name, args) => (await client.callTool({ name, arguments: args }, LONG)) as ToolResult,
    close: () => client.close(),
  };
}
