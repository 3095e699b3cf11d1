import type { Exchange } from './exchange.ts';

export type RememberedLists = Readonly<{
  /** The response to a plain `tools/list` request, if an equal one has been answered; and how to remember it, if not. */
  find: (request: Request, message: object, exchange: Exchange) => Found | undefined;
}>;

type Found = Readonly<{ response: Response } | { remember: (response: Response) => Promise<Response> }>;
/** `start`: the response up to its id, encoded. */
type Remembered = Readonly<{ start: Uint8Array; headers: Record<string, string> }>;

/** What the SDK looks at besides the body; that this is JSON has been checked. */
const HEADERS = ['accept', 'mcp-protocol-version', 'mcp-method', 'mcp-name'];
const MAX_REMEMBERED = 64;
const MAX_KEY_CHARACTERS = 1_000;

/**
 * Remembers what was answered to `tools/list`: the answer depends on nothing but the principal's tools, these headers and the
 * parameters, and making it takes four times as long as sending it. Only the request's id is put in anew.
 */
export function createRememberedLists(): RememberedLists {
  const lists = new Map<string, Remembered>();

  function remember(key: string, result: unknown, headers: Record<string, string>): void {
    if (lists.size >= MAX_REMEMBERED) lists.delete(lists.keys().next().value as string);
    lists.set(key, { start: encode(`{"jsonrpc":"2.0","result":${JSON.stringify(result)},"id":`), headers });
  }

  return {
    find(request, message, exchange) {
      const id = listId(message);
      const key = id === undefined ? undefined : keyOf(request, message, exchange);
      if (id === undefined || key === undefined) return undefined;
      const known = lists.get(key);
      if (known) return { response: toResponse(known, id) };
      return {
        async remember(response) {
          if (response.status !== 200 || response.headers.get('content-type') !== 'application/json') return response;
          const text = await response.text();
          const { result } = JSON.parse(text) as { result?: unknown };
          const headers = Object.fromEntries(response.headers);
          if (result !== undefined) remember(key, result, headers);
          return new Response(text, { headers });
        },
      };
    },
  };
}

function toResponse({ start, headers }: Remembered, id: string | number): Response {
  const end = encode(`${JSON.stringify(id)}}`);
  const body = new Uint8Array(start.byteLength + end.byteLength);
  body.set(start);
  body.set(end, start.byteLength);
  return new Response(body, { headers });
}

const encoder = new TextEncoder();
const encode = (text: string) => encoder.encode(text);

/** The id of a request for the list; `undefined` of any other message. */
function listId(message: object): string | number | undefined {
  const { jsonrpc, id, method, params, ...others } = message as Record<string, unknown>;
  if (method !== 'tools/list' || jsonrpc !== '2.0' || Object.keys(others).length > 0) return undefined;
  return typeof id === 'string' || Number.isSafeInteger(id) ? (id as string | number) : undefined;
}

function keyOf({ headers }: Request, message: object, { principal }: Exchange): string | undefined {
  const { params = null } = message as { params?: unknown };
  const key = JSON.stringify([principal.limits.tools, HEADERS.map((name) => headers.get(name)), params]);
  return key.length > MAX_KEY_CHARACTERS ? undefined : key;
}
