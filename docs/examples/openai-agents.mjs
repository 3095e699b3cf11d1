// npm install @openai/agents
// MCP_SERVER_API_KEY=… OPENAI_API_KEY=… node openai-agents.mjs
import { Agent, MCPServerStreamableHttp, run } from '@openai/agents';

const gateway = new MCPServerStreamableHttp({
  name: 'openai',
  url: process.env.GATEWAY_URL ?? 'http://localhost:8000/mcp',
  requestInit: { headers: { Authorization: `Bearer ${process.env.MCP_SERVER_API_KEY}` } },
  timeout: 300_000,
});

await gateway.connect();
try {
  const agent = new Agent({ name: 'Illustrator', model: 'gpt-6-luna', mcpServers: [gateway] });
  const { finalOutput } = await run(agent, 'Draw a lighthouse in a storm, and reply with the URL of the image.');
  console.log(finalOutput);
} finally {
  await gateway.close();
}
