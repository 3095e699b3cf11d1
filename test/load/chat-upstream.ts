import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type ChatUpstream = Readonly<{ url: string; close: () => void }>;

/** More than any burst, so that it is never the upstream that loses a connection. */
const BACKLOG = 4096;

/** A chat API that echoes the prompt after `delayMs(prompt)`; leaner than the stand-in, so that the gateway is what is measured. */
export async function startChatUpstream(delayMs: (prompt: string) => number): Promise<ChatUpstream> {
  const server = createServer({ keepAliveTimeout: 600_000 }, async (incoming, response) => {
    // list_supported_models asks for the upstream's models now and then.
    if (incoming.method === 'GET') {
      response.end('{"data":[]}');
      return;
    }
    let text = '';
    for await (const chunk of incoming.setEncoding('utf8')) text += chunk;
    const { messages, stream } = JSON.parse(text) as { messages: { content: string }[]; stream?: boolean };
    const prompt = messages.at(-1)?.content ?? '';
    const waitMs = delayMs(prompt);
    if (waitMs > 0) setTimeout(() => answer(response, prompt, stream), waitMs);
    else answer(response, prompt, stream);
  });
  server.on('clientError', (_, socket) => socket.destroy());
  server.listen({ port: 0, host: '127.0.0.1', backlog: BACKLOG });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function answer(response: ServerResponse<IncomingMessage>, prompt: string, stream = false): void {
  const base = { id: 'chatcmpl-load', created: 1, model: 'load' };
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  if (!stream) {
    const choices = [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: prompt } }];
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ ...base, object: 'chat.completion', choices, usage }));
    return;
  }
  const chunk = (delta: object, finish_reason: string | null) =>
    `data: ${JSON.stringify({ ...base, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }], usage })}\n\n`;
  response.setHeader('content-type', 'text/event-stream');
  response.end(`${chunk({ role: 'assistant', content: prompt }, null)}${chunk({}, 'stop')}data: [DONE]\n\n`);
}
