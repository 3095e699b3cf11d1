import { type Agent, request } from 'node:http';

export type Sent = Readonly<{ headers: Record<string, string>; body: string | Uint8Array; method?: string; path?: string }>;

/** What came back: an HTTP status with the whole body, or the code of the error that the connection ended with. */
export type Received = Readonly<{ status: number; text: string; error?: string; durationMs: number }>;

/** One request through node:http, which costs the client least. With `leaveAfterMs` the client breaks the connection. */
export function send(
  url: string,
  { headers, body, method = 'POST', path = '/mcp' }: Sent,
  agent: Agent,
  leaveAfterMs?: number,
): Promise<Received> {
  const startMs = performance.now();
  return new Promise((resolve) => {
    let status = 0;
    let text = '';
    const end = (error?: string) => resolve({ status, text, ...(error && { error }), durationMs: performance.now() - startMs });
    const { hostname, port } = new URL(url);
    const sent = request({ hostname, port, path, method, agent, headers: { ...headers, 'content-length': Buffer.byteLength(body) } });
    sent.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    sent.on('response', (response) => {
      status = response.statusCode ?? 0;
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => end());
      response.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    });
    if (leaveAfterMs !== undefined) setTimeout(() => sent.destroy(), leaveAfterMs);
    sent.end(body);
  });
}

/** The JSON-RPC message in a response, plain or as the last event of a stream. */
export function messageIn(text: string): { id?: unknown; result?: Record<string, unknown>; error?: { code: number } } | undefined {
  const data = text.split('\n').findLast((line) => line.startsWith('data: '));
  try {
    return JSON.parse(data?.slice('data: '.length) ?? text);
  } catch {
    return undefined;
  }
}
