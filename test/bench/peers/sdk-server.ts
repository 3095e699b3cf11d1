/**
 * The MCP SDK's server as its README shows it, with the gateway's schemas, behind Hono: a fresh server for each request,
 * whose chat tool calls `openai`.
 */
import { serve } from '@hono/node-server';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { Hono } from 'hono';
import OpenAI from 'openai';
import type { z } from 'zod';
import { tools } from '../../../src/tools/index.ts';

const client = new OpenAI({ baseURL: process.env.OPENAI_BASE_URL, apiKey: 'key-of-the-upstream' });

async function answer(name: string, args: { prompt?: string }) {
  if (name !== 'chat_completion') return { models: [] };
  const completion = await client.chat.completions.create({ model: 'bench', messages: [{ role: 'user', content: args.prompt ?? '' }] });
  return { text: completion.choices[0]?.message.content };
}

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: 'bench', version: '1' });
  for (const { name, title, description, input } of tools) {
    const inputSchema: z.ZodObject = input;
    server.registerTool(name, { title, description, inputSchema }, async (args) => {
      const output = await answer(name, args);
      return { content: [{ type: 'text', text: JSON.stringify(output) }] };
    });
  }
  return server;
});
const app = new Hono().post('/mcp', (c) => handler.fetch(c.req.raw));
serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => console.log(JSON.stringify({ event: 'listening', port })));
