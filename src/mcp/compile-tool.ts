import type { CallToolResult, Tool as ToolDefinition } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { describeFailure, type Failure, GatewayError } from '../errors.ts';
import type { Tool, ToolContext } from '../tools/tool.ts';
import { findOversize } from './argument-bounds.ts';
import { describeProblems } from './invalid-arguments.ts';

/** A tool with everything that does not depend on the call made once. */
export type CompiledTool = Readonly<{
  definition: ToolDefinition;
  activity: string;
  /** Never throws: failures are results with `isError` (specification 2025-11-25, server/tools, error handling). */
  call(args: unknown, context: ToolContext): Promise<ToolOutcome>;
}>;

/** The result for the client, and for the log how it came out: "ok", or the kind of failure, with its cause. */
export type ToolOutcome = Readonly<{ result: CallToolResult; outcome: 'ok' | Failure['kind'] | 'internal'; error?: unknown }>;

/** Takes the gateway's secrets out of what a tool returns. */
export type Mask = <Value>(value: Value) => Value;

/** Makes the definition for `tools/list`, and puts validation and the error boundary around the handler. */
export function compileTool<Input extends z.ZodObject, Output extends z.ZodObject>(tool: Tool<Input, Output>, mask: Mask): CompiledTool {
  const { name, title, description, annotations } = tool;
  const allowed = Object.keys(tool.input.shape);

  async function run(args: unknown, context: ToolContext): Promise<CallToolResult> {
    const oversize = findOversize(args);
    if (oversize) throw new GatewayError({ kind: 'invalid_input', problems: [oversize] });
    const input = tool.input.safeParse(args ?? {}, { reportInput: true });
    if (!input.success) throw new GatewayError({ kind: 'invalid_input', problems: describeProblems(input.error, allowed) });
    const output = mask(tool.output.parse(await tool.handler(input.data, context)));
    return { content: tool.present(output), structuredContent: output };
  }

  return {
    activity: tool.activity,
    definition: { name, title, description, annotations, inputSchema: toJsonSchema(tool.input), outputSchema: toJsonSchema(tool.output) },
    async call(args, context) {
      try {
        return { result: await run(args, context), outcome: 'ok' };
      } catch (error) {
        return toOutcome(error, context.requestId, mask);
      }
    },
  };
}

/** The error boundary: what a client and the log learn of a failure. */
function toOutcome(error: unknown, requestId: string, mask: Mask): ToolOutcome {
  const known = error instanceof GatewayError ? error.failure : undefined;
  const sentence = known ? mask(describeFailure(known)) : 'Internal error.';
  const outcome = known?.kind ?? 'internal';
  const text = `${sentence} (${outcome}, request ${requestId})`;
  return { result: { isError: true, content: [{ type: 'text', text }] }, outcome, error };
}

/**
 * JSON Schema 2020-12, MCP's default dialect. `$schema` is left out: the validator of 2025-era clients knows no other
 * dialect than its own and refuses the whole tool when one is named.
 */
function toJsonSchema(schema: z.ZodObject): ToolDefinition['inputSchema'] {
  const { $schema: _dialect, ...jsonSchema } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: 'input',
    override: prune,
  });
  return jsonSchema as ToolDefinition['inputSchema'];
}

/** Takes out what says nothing: a model reads the definitions with every conversation. */
function prune({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (isEmpty(jsonSchema.properties)) delete jsonSchema.properties;
  if (isEmpty(jsonSchema.additionalProperties)) delete jsonSchema.additionalProperties;
  if (JSON.stringify(jsonSchema.propertyNames) === '{"type":"string"}') delete jsonSchema.propertyNames;
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
