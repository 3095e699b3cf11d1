import type { ServerContext } from '@modelcontextprotocol/server';
import { type GatewayEvent, type SpanAttributes, type SpanStart, traceparentOf } from '../events.ts';
import { MAX_NAME_CHARACTERS } from '../limits.ts';
import type { Exchange } from './exchange.ts';
import { cut } from './invalid-arguments.ts';

/**
 * The span of a tool call (https://github.com/open-telemetry/semantic-conventions-genai, docs/gen-ai/mcp.md). Its parent is
 * the one in `_meta`; without one, the span of the HTTP request, or the parent that its header names.
 */
export function startOfCall(tool: string, { mcpReq }: ServerContext, exchange: Exchange): SpanStart {
  const { method, id, _meta } = mcpReq;
  return {
    name: `${method} ${tool}`,
    kind: 'server',
    parent: traceparentOf(_meta?.traceparent),
    fallbackParent: exchange.trace?.parent,
    attributes: {
      'mcp.method.name': method,
      'mcp.protocol.version': exchange.trace?.protocolVersion,
      'jsonrpc.request.id': cut(String(id), MAX_NAME_CHARACTERS),
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': tool,
      'gateway.request_id': exchange.requestId,
      'gateway.principal': exchange.principal.name,
    },
  };
}

/** What is known when the call has ended. A result with `isError` is a `tool_error`; the outcome says which. */
export function endOfCall({ outcome, measures }: Extract<GatewayEvent, { type: 'tool_call' }>): SpanAttributes {
  const error = outcome === 'ok' ? undefined : 'tool_error';
  return { 'gateway.outcome': outcome, 'gateway.cost_usd': measures.cost_usd, 'error.type': error };
}

/** The revision that a client names in a header, if it has the form of one. */
export function versionOf(header = ''): string | undefined {
  return /^\d{4}-\d{2}-\d{2}$/.test(header) ? header : undefined;
}
