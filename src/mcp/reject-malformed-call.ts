import { isJSONRPCRequest, type JSONRPCErrorResponse, ProtocolErrorCode } from '@modelcontextprotocol/server';

/** Rejects malformed tools/call requests in words a model understands; the SDK would return its validator's output. */
export function rejectMalformedCall(message: object): JSONRPCErrorResponse | undefined {
  // The method first: the SDK's check costs more than all else here.
  if ((message as { method?: unknown }).method !== 'tools/call' || !isJSONRPCRequest(message)) return undefined;
  const { id, params } = message;
  const problem = problemOf(params);
  if (problem === undefined) return undefined;
  return { jsonrpc: '2.0', id, error: { code: ProtocolErrorCode.InvalidParams, message: `Invalid tools/call request: ${problem}.` } };
}

function problemOf(params: { [key: string]: unknown } | undefined): string | undefined {
  if (typeof params?.name !== 'string') return 'params.name must be the name of a tool';
  if (params.arguments !== undefined && !isPlainObject(params.arguments)) return 'params.arguments must be an object';
  return undefined;
}

function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
