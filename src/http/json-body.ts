import type { Context } from 'hono';
import { type HttpEnv, httpError, jsonRpcError } from './errors.ts';

const MAX_BODY_BYTES = 4 * 1024 * 1024;

/**
 * The JSON-RPC message in the body of a POST, or the answer that refuses it: another content type (415), more than
 * 4 MiB (413), no JSON, or a batch (400; removed from MCP in 2025-06-18).
 */
export async function readJsonRpcBody(c: Context<HttpEnv>): Promise<{ message: object } | Response> {
  const contentType = c.req.header('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  if (contentType !== 'application/json') return httpError(c, 415, 'unsupported_media_type', 'The Content-Type must be application/json.');
  const text = await readText(c.req.raw).catch(() => null);
  if (text === null) return jsonRpcError(c, -32700, 'Parse error: the body broke off.');
  if (text === undefined) return httpError(c, 413, 'payload_too_large', `The body must be at most ${MAX_BODY_BYTES} bytes.`);
  const message = parseJson(text);
  if (message === undefined) return jsonRpcError(c, -32700, 'Parse error: the body is not valid JSON.');
  if (Array.isArray(message)) return jsonRpcError(c, -32600, 'Invalid request: batches are not supported; send one message a request.');
  if (typeof message !== 'object' || message === null)
    return jsonRpcError(c, -32600, 'Invalid request: the body must be a JSON-RPC object.');
  return { message };
}

/** `undefined` when the body is too long. One of a declared length cannot be longer, so it needs no counting. */
async function readText(request: Request): Promise<string | undefined> {
  const declared = request.headers.get('content-length');
  if (declared !== null) return Number(declared) <= MAX_BODY_BYTES ? request.text() : undefined;
  const decoder = new TextDecoder();
  let text = '';
  let total = 0;
  for await (const chunk of request.body ?? []) {
    total += chunk.byteLength;
    if (total > MAX_BODY_BYTES) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
