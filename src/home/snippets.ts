/** Placeholder for the key where a client's settings hold it in plain text. */
export const KEY_PLACEHOLDER = '<MCP_SERVER_API_KEY>';
const BEARER = { Authorization: `Bearer ${KEY_PLACEHOLDER}` };

/** The settings of one client: `where` says where `text` belongs. */
export type Snippet = Readonly<{ client: string; where: string; text: string }>;

/**
 * How to connect each client to the gateway at this origin. The origin is embedded in shell commands and JSON, so it
 * must come from a validated host name.
 */
export function clientSnippets(origin: string): Snippet[] {
  const url = `${origin}/mcp`;
  return [
    { client: 'VS Code', where: 'In .vscode/mcp.json. VS Code prompts for the key and stores it.', text: vsCode(url) },
    { client: 'Claude Code', where: 'In a terminal.', text: claudeCode(url) },
    { client: 'Claude Desktop', where: 'In claude_desktop_config.json. mcp-remote requires Node.js.', text: claudeDesktop(url) },
    { client: 'Cursor', where: "In ~/.cursor/mcp.json, or a project's .cursor/mcp.json.", text: mcpServers({ url, headers: BEARER }) },
    { client: 'Other clients', where: 'In mcp.json, for Streamable HTTP.', text: mcpServers({ type: 'http', url, headers: BEARER }) },
    {
      client: 'Older clients',
      where: 'In mcp.json, for the HTTP+SSE transport (2024-11-05).',
      text: mcpServers({ type: 'sse', url: `${origin}/sse`, headers: BEARER }),
    },
    { client: 'curl', where: 'In a terminal. Lists the tools.', text: curl(url) },
  ];
}

const json = (value: object) => JSON.stringify(value, null, 2);
const mcpServers = (server: object) => json({ mcpServers: { openai: server } });

/** The file is often committed, so VS Code prompts for the key instead of storing it there. */
function vsCode(url: string): string {
  const id = 'openai-gateway-key';
  return json({
    inputs: [{ type: 'promptString', id, description: 'MCP_SERVER_API_KEY', password: true }],
    servers: { openai: { type: 'http', url, headers: { Authorization: `Bearer \${input:${id}}` } } },
  });
}

/** On one line, which works in every shell. */
function claudeCode(url: string): string {
  return `claude mcp add --transport http openai "${url}" --header "Authorization: ${BEARER.Authorization}"`;
}

/** Claude Desktop on Windows splits arguments at spaces, so the header value comes from the environment. */
function claudeDesktop(url: string): string {
  // mcp-remote rejects plain HTTP to any other host by default.
  const isSafe = /^https:|^http:\/\/(localhost|127\.0\.0\.1)[:/]/.test(url);
  return mcpServers({
    command: 'npx',
    args: ['-y', 'mcp-remote', url, '--header', `Authorization:\${AUTH_HEADER}`, ...(isSafe ? [] : ['--allow-http'])],
    env: { AUTH_HEADER: BEARER.Authorization },
  });
}

function curl(url: string): string {
  return [
    `curl "${url}"`,
    `-H "Authorization: ${BEARER.Authorization}"`,
    '-H "Content-Type: application/json"',
    '-H "Accept: application/json, text/event-stream"',
    `-d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'`,
  ].join(' \\\n  ');
}
