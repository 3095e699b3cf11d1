import type { Context } from 'hono';
import { MAX_NAME_CHARACTERS, MAX_NESTING, MAX_REQUEST_BYTES, REQUEST_BODY_TIMEOUT_MS } from '../limits.ts';
import { isNestedDeeper } from '../nesting.ts';
import type { Clock } from '../ports.ts';
import { readBody } from '../streams/body.ts';
import { type HttpEnv, httpError, jsonRpcError } from './errors.ts';

/**
 * Reads the JSON-RPC message in the body of a POST, or returns the error response: another content type (415), more than
 * 4 MiB (413), a body that is too slow (408), or invalid JSON, excessive nesting or a batch (400; batches were removed
 * from MCP in 2025-06-18).
 */
export async function readJsonRpcBody(c: Context<HttpEnv>, clock: Clock): Promise<{ message: object } | Response> {
  const contentType = c.req.header('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  if (contentType !== 'application/json') return httpError(c, 415, 'unsupported_media_type', 'The Content-Type must be application/json.');
  const text = await readText(c.req.raw, clock);
  if (text === 'too large') return httpError(c, 413, 'payload_too_large', `The body must be at most ${MAX_REQUEST_BYTES} bytes.`);
  if (text === 'too slow') return httpError(c, 408, 'request_timeout', `The body must arrive within ${REQUEST_BODY_TIMEOUT_MS / 1000} s.`);
  if (text === 'broken') return jsonRpcError(c, -32700, 'Parse error: the body is incomplete.');
  const message = parseJson(text.json);
  if (message === undefined) return jsonRpcError(c, -32700, 'Parse error: the body is not valid JSON.');
  if (Array.isArray(message)) return jsonRpcError(c, -32600, 'Invalid request: batches are not supported; send one message per request.');
  if (typeof message !== 'object' || message === null)
    return jsonRpcError(c, -32600, 'Invalid request: the body must be a JSON-RPC object.');
  if (isNestedDeeper(message, MAX_NESTING)) {
    const sentence = `Invalid request: arrays and objects may be nested at most ${MAX_NESTING} levels deep.`;
    return jsonRpcError(c, -32600, sentence, idOf(message));
  }
  return { message };
}

type Text = { json: string } | 'too large' | 'too slow' | 'broken';

/** The runtime enforces a declared length, so only other bodies are counted. */
async function readText(request: Request, clock: Clock): Promise<Text> {
  const declared = request.headers.get('content-length');
  if (declared !== null && !(Number(declared) <= MAX_REQUEST_BYTES)) return 'too large';
  const read = declared === null ? readStream(request, clock) : request.text().then((json) => ({ json }));
  const finished = new AbortController();
  const late = clock.timeLimit(REQUEST_BODY_TIMEOUT_MS, finished.signal).then(() => 'too slow' as const);
  const broken = () => 'broken' as const;
  return Promise.race([read.catch(broken), late.catch(broken)]).finally(() => finished.abort());
}

async function readStream({ body }: Request, clock: Clock): Promise<Text> {
  let outcome: Text = 'broken';
  const toError = (problem: string) => {
    if (problem.includes('larger than')) outcome = 'too large';
    if (problem.includes('took longer')) outcome = 'too slow';
    return new Error(problem);
  };
  try {
    const limits = { clock, maxBytes: MAX_REQUEST_BYTES, timeoutMs: REQUEST_BODY_TIMEOUT_MS, minBytesPerMinute: 0 };
    return { json: new TextDecoder().decode(await readBody(new Response(body), { ...limits, toError })) };
  } catch {
    return outcome;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function idOf(message: object): string | number | null {
  const id = 'id' in message ? message.id : null;
  return typeof id === 'number' || (typeof id === 'string' && id.length <= MAX_NAME_CHARACTERS) ? id : null;
}
