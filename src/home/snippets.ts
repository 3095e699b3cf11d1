/** What stands for the key wherever a client's settings hold it in plain text. */
const KEY = '<MCP_SERVER_API_KEY>';
const BEARER = { Authorization: `Bearer ${KEY}` };

/** The settings of one client: `where` tells what to do with `text`. */
export type Snippet = Readonly<{ client: string; where: string; text: string }>;

/**
 * How clients are told of the gateway at this origin. The origin goes into shell commands as well as into JSON, so it
 * must be one that was made of a checked host name.
 */
export function clientSnippets(origin: string): Snippet[] {
  const url = `${origin}/mcp`;
  return [
    { client: 'VS Code', where: 'In .vscode/mcp.json. VS Code asks for the key and keeps it.', text: vsCode(url) },
    { client: 'Claude Code', where: 'In a terminal.', text: claudeCode(url) },
    { client: 'Claude Desktop', where: 'In claude_desktop_config.json. mcp-remote needs Node.js.', text: claudeDesktop(url) },
    { client: 'Cursor', where: 'In ~/.cursor/mcp.json, or .cursor/mcp.json of a project.', text: mcpServers({ url, headers: BEARER }) },
    { client: 'Other clients', where: 'In mcp.json, for Streamable HTTP.', text: mcpServers({ type: 'http', url, headers: BEARER }) },
    {
      client: 'Older clients',
      where: 'In mcp.json, for the HTTP+SSE transport of 2024.',
      text: mcpServers({ type: 'sse', url: `${origin}/sse`, headers: BEARER }),
    },
    { client: 'curl', where: 'In a terminal. Lists the tools.', text: curl(url) },
  ];
}

const json = (value: object) => JSON.stringify(value, null, 2);
const mcpServers = (server: object) => json({ mcpServers: { openai: server } });

/** The file is often committed, so the key is asked for and not written into it. */
function vsCode(url: string): string {
  const id = 'openai-gateway-key';
  return json({
    inputs: [{ type: 'promptString', id, description: 'MCP_SERVER_API_KEY', password: true }],
    servers: { openai: { type: 'http', url, headers: { Authorization: `Bearer \${input:${id}}` } } },
  });
}

/** In one line, which every shell takes. */
function claudeCode(url: string): string {
  return `claude mcp add --transport http openai "${url}" --header "Authorization: ${BEARER.Authorization}"`;
}

/** Claude Desktop on Windows breaks arguments at spaces, so the header's value comes from the environment. */
function claudeDesktop(url: string): string {
  // mcp-remote refuses plain HTTP to any other host unless told.
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
