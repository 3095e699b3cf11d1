/** What the tests use of packages that only `npm run test:clients` installs, so that tsc needs none of them. */

declare module '@ai-sdk/mcp' {
  type Client = {
    initializeResult: { protocolVersion: string };
    listTools: () => Promise<{ tools: { name: string }[] }>;
    callTool: (call: { name: string; arguments: Record<string, unknown> }) => Promise<unknown>;
    close: () => Promise<void>;
  };
  type Transport = { type: 'http' | 'sse'; url: string; headers: Record<string, string> };
  export function createMCPClient(config: { transport: Transport }): Promise<Client>;
}

declare module '@langchain/mcp-adapters' {
  type ToolCall = { type: 'tool_call'; id: string; name: string; args: Record<string, unknown> };
  type ToolMessage = { text: string; artifact?: { type: string; data: unknown }[] };
  type Tool = { name: string; invoke: (call: ToolCall) => Promise<ToolMessage> };
  type Connection = { transport: 'http'; url: string; headers: Record<string, string>; defaultToolTimeout?: number };
  export class MultiServerMCPClient {
    constructor(servers: Record<string, Connection>);
    getTools(): Promise<Tool[]>;
    getClient(server: string): Promise<{ transport?: { protocolVersion?: string } } | undefined>;
    close(): Promise<void>;
  }
}

declare module '@mastra/mcp' {
  type Tool = { execute: (args: Record<string, unknown>, context: object) => Promise<unknown> };
  type Server = { url: URL; requestInit: RequestInit };
  export class MCPClient {
    constructor(options: { id: string; servers: Record<string, Server>; timeout?: number });
    getServerProtocolVersions(): Record<string, string>;
    listToolsets(): Promise<Record<string, Record<string, Tool>>>;
    disconnect(): Promise<void>;
  }
}

declare module '@openai/agents' {
  type FunctionTool = { name: string; strict: boolean; parameters: { required: string[] } };
  export class MCPServerStreamableHttp {
    constructor(options: { name: string; url: string; requestInit: RequestInit; timeout?: number });
    connect(): Promise<void>;
    listTools(): Promise<{ name: string }[]>;
    callToolResult(name: string, args: Record<string, unknown>): Promise<unknown>;
    close(): Promise<void>;
  }
  export function getAllMcpTools(options: {
    mcpServers: MCPServerStreamableHttp[];
    convertSchemasToStrict: boolean;
  }): Promise<FunctionTool[]>;
}

declare module 'mcp-use/client' {
  type Options = { timeout?: number };
  type Session = {
    listTools: () => Promise<{ name: string }[]>;
    callTool: (name: string, args: Record<string, unknown>, options: Options) => Promise<unknown>;
  };
  export class MCPClient {
    constructor(config: { mcpServers: Record<string, { url: string; headers: Record<string, string> }> });
    createSession(server: string): Promise<Session>;
    closeAllSessions(): Promise<void>;
  }
}
