// npm install langchain @langchain/openai @langchain/mcp-adapters
// MCP_SERVER_API_KEY=… OPENAI_API_KEY=… node langchain.mjs
import { MultiServerMCPClient } from '@langchain/mcp-adapters';
import { ChatOpenAI } from '@langchain/openai';
import { createAgent } from 'langchain';

const gateway = new MultiServerMCPClient({
  openai: {
    transport: 'http',
    url: process.env.GATEWAY_URL ?? 'http://localhost:8000/mcp',
    headers: { Authorization: `Bearer ${process.env.MCP_SERVER_API_KEY}` },
    defaultToolTimeout: 300_000,
  },
});

try {
  const agent = createAgent({ model: new ChatOpenAI({ model: 'gpt-6-luna' }), tools: await gateway.getTools() });
  const { messages } = await agent.invoke({
    messages: [{ role: 'user', content: 'Draw a lighthouse in a storm, and reply with the URL of the image.' }],
  });
  console.log(messages.at(-1).text);
} finally {
  await gateway.close();
}
