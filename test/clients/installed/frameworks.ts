import { createMCPClient } from '@ai-sdk/mcp';
import { MultiServerMCPClient } from '@langchain/mcp-adapters';
import { MCPClient as MastraClient } from '@mastra/mcp';
import { getAllMcpTools, MCPServerStreamableHttp } from '@openai/agents';
import { MCPClient as McpUseClient } from 'mcp-use/client';
import type { ToolResult } from '../../support.ts';
import { type ConnectedClient, LONG, type TestedClient } from '../connect.ts';

const headersWith = (key: string) => ({ Authorization: `Bearer ${key}` });
const http = { transport: 'Streamable HTTP' } as const;

/** The clients of agent frameworks. */
export const frameworks: Record<string, TestedClient> = {
  'AI SDK': {
    ...http,
    package: '@ai-sdk/mcp',
    revision: '2026-07-28',
    connect: (origin, key) => connectAiSdk('http', `${origin}/mcp`, key),
  },
  'AI SDK, sse': {
    package: '@ai-sdk/mcp',
    transport: 'SSE',
    revision: '2024-11-05',
    connect: (origin, key) => connectAiSdk('sse', `${origin}/sse`, key),
  },
  LangChain: { ...http, package: '@langchain/mcp-adapters', revision: '2025-11-25', connect: connectLangChain },
  'OpenAI Agents': { ...http, package: '@openai/agents', revision: '2026-07-28', connect: connectOpenAIAgents },
  Mastra: { ...http, package: '@mastra/mcp', revision: '2026-07-28', connect: connectMastra },
  'mcp-use': { ...http, package: 'mcp-use', revision: '2025-11-25', connect: connectMcpUse },
};

async function connectAiSdk(type: 'http' | 'sse', url: string, key: string): Promise<ConnectedClient> {
  const client = await createMCPClient({ transport: { type, url, headers: headersWith(key) } });
  return {
    protocol: client.initializeResult.protocolVersion,
    listTools: async () => (await client.listTools()).tools,
    callTool: async (name, args) => (await client.callTool({ name, arguments: args })) as ToolResult,
    close: () => client.close(),
  };
}

async function connectLangChain(origin: string, key: string, { timeout } = LONG): Promise<ConnectedClient> {
  const connection = { url: `${origin}/mcp`, headers: headersWith(key), ...(timeout && { defaultToolTimeout: timeout }) };
  const client = new MultiServerMCPClient({ gateway: { transport: 'http', ...connection } });
  const tools = await client.getTools();
  const call = async (name: string, args: Record<string, unknown>): Promise<ToolResult> => {
    const message = await tools.find((tool) => tool.name === name)?.invoke({ type: 'tool_call', id: '1', name, args });
    const structured = message?.artifact?.find(({ type }) => type === 'mcp_structured_content');
    return { content: [{ type: 'text', text: message?.text ?? '' }], structuredContent: structured?.data };
  };
  return {
    protocol: (await client.getClient('gateway'))?.transport?.protocolVersion,
    listTools: async () => tools,
    callTool: (name, args) => call(name, args).catch(toErrorResult),
    close: () => client.close(),
  };
}

/** The server object of the Agents SDK, which an agent calls in the same way. */
async function connectOpenAIAgents(origin: string, key: string, limits = LONG): Promise<ConnectedClient> {
  const server = await connectAgentsServer(origin, key, limits);
  return {
    protocol: undefined,
    listTools: () => server.listTools(),
    callTool: async (name, args) => (await server.callToolResult(name, args)) as ToolResult,
    close: () => server.close(),
  };
}

export async function connectAgentsServer(origin: string, key: string, limits = LONG): Promise<MCPServerStreamableHttp> {
  const requestInit = { headers: headersWith(key) };
  const server = new MCPServerStreamableHttp({ name: 'gateway', url: `${origin}/mcp`, requestInit, ...limits });
  await server.connect();
  return server;
}

/** The tools as the Agents SDK converts them for structured outputs; those that it cannot convert are not strict. */
export const toStrictTools = (server: MCPServerStreamableHttp) => getAllMcpTools({ mcpServers: [server], convertSchemasToStrict: true });

async function connectMastra(origin: string, key: string, limits = LONG): Promise<ConnectedClient> {
  const server = { url: new URL(`${origin}/mcp`), requestInit: { headers: headersWith(key) } };
  const client = new MastraClient({ id: crypto.randomUUID(), servers: { gateway: server }, ...limits });
  // It logs that it cannot connect, and then has no tools.
  const { gateway: tools } = await client.listToolsets();
  if (!tools) throw new Error('Mastra did not connect.');
  const call = async (name: string, args: Record<string, unknown>): Promise<ToolResult> => ({
    content: [],
    structuredContent: await tools[name]?.execute(args, {}),
  });
  return {
    protocol: client.getServerProtocolVersions().gateway,
    listTools: async () => Object.keys(tools).map((name) => ({ name })),
    callTool: (name, args) => call(name, args).catch(toErrorResult),
    close: () => client.disconnect(),
  };
}

async function connectMcpUse(origin: string, key: string, limits = LONG): Promise<ConnectedClient> {
  const client = new McpUseClient({ mcpServers: { gateway: { url: `${origin}/mcp`, headers: headersWith(key) } } });
  const session = await client.createSession('gateway');
  return {
    protocol: undefined,
    listTools: () => session.listTools(),
    callTool: async (name, args) => (await session.callTool(name, args, { ...limits })) as ToolResult,
    close: () => client.closeAllSessions(),
  };
}

/** LangChain and Mastra throw the text of a result that is an error. */
function toErrorResult(error: Error): ToolResult {
  return { isError: true, content: [{ type: 'text', text: error.message }], structuredContent: undefined };
}
