import { KEY } from './gateways.ts';
import { messageIn, type Received, type Sent } from './send.ts';

/** One kind of call, and whether it was answered as it should be. */
export type Kind = Readonly<{
  name: string;
  /** The call of this number, which the upstream's echo carries back. */
  make: (number: number) => Sent;
  isRight: (received: Received, number: number) => boolean;
  /** After how long the client breaks the connection. */
  leaveAfterMs?: number;
}>;

type Era = '2025' | '2026';
type Result = {
  isError?: boolean;
  tools?: unknown[];
  content?: { text: string }[];
  structuredContent?: { text?: string; models?: unknown[] };
};

const MODERN = '2026-07-28';
const ENVELOPE = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientInfo': { name: 'load', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};
/** As MCP clients send it, and as plain HTTP clients do. */
const ACCEPTS = ['application/json, text/event-stream', '*/*'];
/** A prompt that the upstream answers late. */
export const SLOW = 'slow ';
/** A prompt that the upstream answers so late that progress is reported before. */
export const LATE = 'late ';
/** Each so many calls one is late. */
const LATE_EVERY = 50;

const resultOf = ({ text }: Received): Result => (messageIn(text)?.result ?? {}) as Result;
const prompt = (number: number) => `${number % LATE_EVERY === 0 ? LATE : ''}prompt ${number}`;
const echoes = (received: Received, number: number) => resultOf(received).structuredContent?.text === prompt(number);

function request(era: Era, number: number, method: string, params: Record<string, unknown> = {}, meta?: object): Sent {
  const headers: Record<string, string> = {
    authorization: `Bearer ${KEY}`,
    'content-type': 'application/json',
    accept: ACCEPTS[Math.floor(number / kinds.length) % ACCEPTS.length] ?? '',
    'mcp-protocol-version': era === '2026' ? MODERN : '2025-11-25',
  };
  if (era === '2026') headers['mcp-method'] = method;
  if (era === '2026' && typeof params.name === 'string') headers['mcp-name'] = params.name;
  const _meta = era === '2026' ? { ...ENVELOPE, ...meta } : meta;
  return { headers, body: JSON.stringify({ jsonrpc: '2.0', id: number, method, params: { ...params, ...(_meta && { _meta }) } }) };
}

const call = (era: Era, number: number, name: string, args: object, meta?: object) =>
  request(era, number, 'tools/call', { name, arguments: args }, meta);

function kindsOf(era: Era): Kind[] {
  const ofEra: Kind[] = [
    { name: 'tools/list', make: (n) => request(era, n, 'tools/list'), isRight: (received) => resultOf(received).tools?.length === 7 },
    {
      name: 'list_supported_models',
      make: (n) => call(era, n, 'list_supported_models', {}),
      isRight: (received) => resultOf(received).structuredContent?.models?.length === 5,
    },
    { name: 'chat', make: (n) => call(era, n, 'chat_completion', { prompt: prompt(n) }), isRight: echoes },
    {
      name: 'chat, streamed',
      make: (n) => call(era, n, 'chat_completion', { prompt: prompt(n) }, { progressToken: n }),
      isRight: (received, n) => echoes(received, n) && (n % LATE_EVERY !== 0 || received.text.includes('notifications/progress')),
    },
    {
      name: 'invalid arguments',
      make: (n) => call(era, n, 'chat_completion', { prompt: prompt(n), temperature: 'warm' }),
      isRight: (received) => resultOf(received).isError === true && received.text.includes('temperature'),
    },
    {
      name: 'unknown tool',
      make: (n) => call(era, n, 'no_such_tool', {}),
      isRight: ({ text }) => messageIn(text)?.error?.code === -32602,
    },
    {
      name: 'no token',
      make: (n) => {
        const { headers, body } = call(era, n, 'list_supported_models', {});
        return { body, headers: { ...headers, authorization: 'Bearer of-somebody-else' } };
      },
      isRight: ({ status }) => status === 401,
    },
    {
      name: 'client leaves',
      make: (n) => call(era, n, 'chat_completion', { prompt: SLOW + prompt(n) }),
      isRight: ({ error }) => error === 'ECONNRESET',
      leaveAfterMs: 20,
    },
    {
      name: 'client leaves a stream',
      make: (n) => call(era, n, 'chat_completion', { prompt: SLOW + prompt(n) }, { progressToken: n }),
      isRight: ({ error }) => error === 'ECONNRESET',
      leaveAfterMs: 20,
    },
  ];
  return ofEra.map((kind) => ({ ...kind, name: `${era}: ${kind.name}` }));
}

/** What a gateway meets in a day, as 2025-era and 2026-era clients send it. */
export const kinds: readonly Kind[] = [...kindsOf('2025'), ...kindsOf('2026')];
