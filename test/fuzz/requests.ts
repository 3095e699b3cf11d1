import fc from 'fast-check';
import { argumentsOf, nested, type Schema } from './arguments.ts';

export type FuzzRequest = Readonly<{
  method: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  /** Text, or bytes that need not be UTF-8. */
  body: string | Uint8Array<ArrayBuffer>;
}>;

export type ToolDefinition = Readonly<{ name: string; inputSchema: Schema }>;

const MODERN = '2026-07-28';
const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientInfo': { name: 'fuzz', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};
const METHODS = [
  'initialize',
  'ping',
  'tools/list',
  'tools/call',
  'server/discover',
  'resources/list',
  'notifications/cancelled',
  'notifications/initialized',
  'completion/complete',
  'logging/setLevel',
];

/** Deeper than any recursion reaches. */
const MAX_DEPTH = 50_000;

type Message = Record<string, unknown>;

/** Every kind of request, from the calls that the schemas describe to bytes that are no JSON. */
export function fuzzRequests(tools: readonly ToolDefinition[], key: string): fc.Arbitrary<FuzzRequest> {
  const call = fc.oneof(...tools.map(callOf));
  const message = fc.oneof(
    { weight: 6, arbitrary: call },
    { weight: 2, arbitrary: messages },
    { weight: 2, arbitrary: fc.tuple(call, mutations).map(mutate) },
  );
  const modern = fc.tuple(message, fc.boolean());
  const json = modern.chain(([given, isModern]) =>
    withHeaders(JSON.stringify(isModern ? enveloped(given) : given), headersOf(given, isModern, key)),
  );
  const raw = bodies.chain((body) => withHeaders(body, headersOf({}, false, key)));
  return fc.oneof({ weight: 9, arbitrary: json }, { weight: 1, arbitrary: raw });
}

function callOf({ name, inputSchema }: ToolDefinition): fc.Arbitrary<Message> {
  return fc.record({
    jsonrpc: fc.constant('2.0'),
    id: ids,
    method: fc.constant('tools/call'),
    // Waiting for a video is no fault.
    params: argumentsOf(inputSchema).map((args) => ({
      name,
      arguments: name === 'generate_video' && isRecord(args) ? { ...args, wait_seconds: 0 } : args,
    })),
  });
}

const ids = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 0, max: 1_000 }) }, { weight: 1, arbitrary: fc.string() });

const messages: fc.Arbitrary<Message> = fc.record(
  {
    jsonrpc: fc.oneof(fc.constant('2.0'), fc.jsonValue()),
    id: fc.oneof(ids, fc.jsonValue({ maxDepth: 2 })),
    method: fc.oneof(fc.constantFrom(...METHODS), fc.string()),
    params: fc.oneof(fc.jsonValue({ maxDepth: 4 }), fc.record({ name: fc.jsonValue(), arguments: fc.jsonValue(), _meta: fc.jsonValue() })),
    result: fc.jsonValue(),
  },
  { requiredKeys: [] },
);

const mutations = fc.record({
  where: fc.constantFrom(
    'jsonrpc',
    'id',
    'method',
    'params',
    'params.name',
    'params.arguments',
    'params._meta',
    'params._meta.progressToken',
    'batch',
  ),
  value: fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.integer({ min: 1, max: 200 }).map(nested),
    fc.constant(undefined),
    fc.constant('x'.repeat(20_000)),
  ),
});

function mutate([message, { where, value }]: [Message, { where: string; value: unknown }]): Message {
  if (where === 'batch') return [message, value] as unknown as Message;
  const copy = structuredClone(message);
  const path = where.split('.');
  const last = path.pop() ?? '';
  let parent: Message = copy;
  for (const part of path) {
    if (!isRecord(parent[part])) parent[part] = {};
    parent = parent[part] as Message;
  }
  parent[last] = value;
  return copy;
}

function enveloped(message: Message): Message {
  if (Array.isArray(message)) return message;
  const params = isRecord(message.params) ? message.params : {};
  const meta = isRecord(params._meta) ? params._meta : {};
  return { ...message, params: { ...params, _meta: { ...ENVELOPE, ...meta } } };
}

const bodies: fc.Arbitrary<string | Uint8Array<ArrayBuffer>> = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => new Uint8Array(bytes)),
  fc.json(),
  fc.string({ unit: 'binary' }),
  fc.integer({ min: 1, max: MAX_DEPTH }).map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
  fc.tuple(fc.constantFrom('json_schema', 'messages', 'metadata', 'nothing'), fc.integer({ min: 1, max: MAX_DEPTH })).map(deepCall),
  fc.constantFrom('', ' ', 'null', '1', '"', '{', '\ufeff{}', '{"__proto__":{}}'),
);

function deepCall([argument, depth]: [string, number]): string {
  const value = `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"chat_completion","arguments":{"prompt":"x","${argument}":${value}}}}`;
}

function headersOf(message: Message, isModern: boolean, key: string): Record<string, string> {
  const base = { authorization: `Bearer ${key}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  if (!isModern) return base;
  const { method, params } = message;
  const name = isRecord(params) && typeof params.name === 'string' ? headerSafe(params.name) : undefined;
  return {
    ...base,
    'mcp-protocol-version': MODERN,
    'mcp-method': typeof method === 'string' ? headerSafe(method) : 'tools/call',
    ...(name !== undefined && { 'mcp-name': name }),
  };
}

const headerValue = fc.string({ unit: 'grapheme-ascii', maxLength: 40 });
const headerMutations = fc.record(
  {
    accept: fc.oneof(headerValue, fc.constantFrom('*/*', 'text/event-stream', 'application/json', 'TEXT/*;q=0')),
    'content-type': fc.oneof(headerValue, fc.constantFrom('text/plain', 'application/json; charset=utf-16', 'APPLICATION/JSON')),
    'mcp-protocol-version': fc.oneof(headerValue, fc.constantFrom('2024-11-05', '2025-03-26', '2025-11-25', MODERN, '9999-01-01')),
    'mcp-method': headerValue,
    'mcp-name': headerValue,
    'mcp-session-id': headerValue,
    authorization: fc.oneof(
      headerValue,
      headerValue.map((token) => `Bearer ${token}`),
    ),
    origin: fc.oneof(headerValue, fc.constantFrom('null', 'http://localhost', 'https://evil.example')),
    host: fc.oneof(headerValue, fc.constantFrom('localhost', 'evil.example', '[::1]', '')),
  },
  { requiredKeys: [] },
);

/** The request as it should be, or with some headers changed, or sent elsewhere. */
function withHeaders(body: FuzzRequest['body'], headers: Record<string, string>): fc.Arbitrary<FuzzRequest> {
  const target = fc.oneof(
    { weight: 12, arbitrary: fc.constant({ method: 'POST', path: '/mcp' }) },
    {
      weight: 1,
      arbitrary: fc.record({ method: fc.constant('POST'), path: fc.constantFrom('/sse', '/messages', '/messages?sessionId=x', '/') }),
    },
    { weight: 1, arbitrary: fc.record({ method: fc.constantFrom('PUT', 'DELETE', 'PATCH', 'OPTIONS'), path: paths }) },
  );
  const changed = fc.oneof({ weight: 8, arbitrary: fc.constant({}) }, { weight: 2, arbitrary: headerMutations });
  return fc
    .tuple(target, changed)
    .map(([{ method, path }, changes]) => ({ method, path, headers: { ...headers, ...trimmed(changes) }, body }));
}

const paths = fc.oneof(
  fc.constantFrom('/mcp', '/sse', '/messages', '/health', '/ready'),
  fc.webPath().map((path) => `/${path}`),
  fc.constant(`/${'*'.repeat(6_000)}`),
);

/** As they arrive: without the white space around them. */
function trimmed(headers: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value = '']) => [name, headerSafe(value).trim()]));
}

function headerSafe(text: string): string {
  return text
    .replace(/[^ -~]/g, '?')
    .slice(0, 200)
    .trim();
}

function isRecord(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
