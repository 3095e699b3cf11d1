import type { Context } from 'hono';
import { MAX_IDENTIFIER_CHARACTERS, MAX_NESTING, MAX_REQUEST_BYTES, REQUEST_BODY_TIMEOUT_MS } from '../limits.ts';
import { isTextNestedDeeper, outline } from '../nesting.ts';
import { parseJson } from '../parse-json.ts';
import { type Clock, DONE } from '../ports.ts';
import { type HttpEnv, httpError, jsonRpcError } from './errors.ts';

/**
 * Reads the JSON-RPC message in the body of a POST, or returns the error response: another content type (415), more than
 * 4 MiB (413), a body that is too slow (408), or invalid JSON, excessive nesting, an overlong identifier or a batch (400;
 * batches were removed from MCP in 2025-06-18).
 */
export async function readJsonRpcBody(c: Context<HttpEnv>, clock: Clock): Promise<{ message: object } | Response> {
  const contentType = c.req.header('content-type')?.split(';', 1)[0]?.trim().toLowerCase();
  if (contentType !== 'application/json') return httpError(c, 415, 'unsupported_media_type', 'The Content-Type must be application/json.');
  const text = await readText(c.req.raw, clock);
  if (text === 'too large') return httpError(c, 413, 'payload_too_large', `The body must be at most ${MAX_REQUEST_BYTES} bytes.`);
  if (text === 'too slow') {
    // The rest of the body must not be parsed as another request (RFC 9110 section 15.5.9).
    c.header('Connection', 'close');
    return httpError(c, 408, 'request_timeout', `The body must arrive within ${REQUEST_BODY_TIMEOUT_MS / 1000} s.`);
  }
  if (text === 'broken') return jsonRpcError(c, -32700, 'Parse error: the body is incomplete.');
  return readMessage(c, text.json);
}

function readMessage(c: Context<HttpEnv>, json: string): { message: object } | Response {
  // Checked before parsing: two million arrays would take a hundred megabytes.
  if (isTextNestedDeeper(json, MAX_NESTING)) {
    const sentence = `Invalid request: arrays and objects may be nested at most ${MAX_NESTING} levels deep.`;
    return jsonRpcError(c, -32600, sentence, idOf(parseJson(outline(json))));
  }
  const message = parseJson(json);
  if (message === undefined) return jsonRpcError(c, -32700, 'Parse error: the body is not valid JSON.');
  if (Array.isArray(message)) return jsonRpcError(c, -32600, 'Invalid request: batches are not supported; send one message per request.');
  if (typeof message !== 'object' || message === null)
    return jsonRpcError(c, -32600, 'Invalid request: the body must be a JSON-RPC object.');
  const tooLong = longIdentifier(message);
  if (tooLong)
    return jsonRpcError(c, -32600, `Invalid request: ${tooLong} is longer than ${MAX_IDENTIFIER_CHARACTERS} characters.`, idOf(message));
  return { message };
}

/** Finds an overlong identifier among those that responses or progress notifications echo. */
function longIdentifier(message: { id?: unknown; method?: unknown; params?: { _meta?: { progressToken?: unknown } | null } | null }) {
  const { id, method, params } = message;
  const identifiers = Object.entries({ id, method, progressToken: params?._meta?.progressToken });
  return identifiers.find(([, value]) => typeof value === 'string' && value.length > MAX_IDENTIFIER_CHARACTERS)?.[0];
}

type Text = { json: string } | 'too large' | 'too slow' | 'broken';

/** Reads the whole body, or cancels it and returns why there is none. */
async function readText(request: Request, clock: Clock): Promise<Text> {
  const length = request.headers.get('content-length');
  if (Number(length ?? 0) > MAX_REQUEST_BYTES) return 'too large';
  const finished = new AbortController();
  const late = clock.timeLimit(REQUEST_BODY_TIMEOUT_MS, finished.signal).then(
    () => 'too slow' as const,
    () => 'broken' as const,
  );
  // No more than the declared length can arrive, and `text` needs no stream, which would take most of a small request's time.
  const { read, cancel } = length === null ? streamed(request) : { read: whole(request), cancel: () => {} };
  const text = await Promise.race([read, late]);
  finished.abort(DONE);
  if (typeof text === 'string') cancel();
  return text;
}

async function whole(request: Request): Promise<Text> {
  try {
    return { json: await request.text() };
  } catch {
    return 'broken';
  }
}

function streamed({ body }: Request): { read: Promise<Text>; cancel: () => void } {
  const reader = body?.getReader();
  if (!reader) return { read: Promise.resolve({ json: '' }), cancel: () => {} };
  return { read: collect(reader), cancel: () => void reader.cancel().catch(() => {}) };
}

async function collect(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Text> {
  const decoder = new TextDecoder();
  let json = '';
  let total = 0;
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      total += chunk.value.byteLength;
      if (total > MAX_REQUEST_BYTES) return 'too large';
      json += decoder.decode(chunk.value, { stream: true });
    }
    return { json: json + decoder.decode() };
  } catch {
    return 'broken';
  }
}

function idOf(message: unknown): string | number | null {
  const id = typeof message === 'object' && message !== null && 'id' in message ? message.id : null;
  return typeof id === 'number' || (typeof id === 'string' && id.length <= MAX_IDENTIFIER_CHARACTERS) ? id : null;
}
