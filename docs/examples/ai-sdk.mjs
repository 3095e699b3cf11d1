// npm install ai @ai-sdk/openai @ai-sdk/mcp
// MCP_SERVER_API_KEY=… OPENAI_API_KEY=… node ai-sdk.mjs
import { createMCPClient } from '@ai-sdk/mcp';
import { openai } from '@ai-sdk/openai';
import { generateText, isStepCount } from 'ai';

const gateway = await createMCPClient({
  transport: {
    type: 'http',
    url: process.env.GATEWAY_URL ?? 'http://localhost:8000/mcp',
    headers: { Authorization: `Bearer ${process.env.MCP_SERVER_API_KEY}` },
  },
});

try {
  const { text } = await generateText({
    model: openai('gpt-6-luna'),
    tools: await gateway.tools(),
    stopWhen: isStepCount(5),
    prompt: 'Draw a lighthouse in a storm, and reply with the URL of the image.',
  });
  console.log(text);
} finally {
  await gateway.close();
}
