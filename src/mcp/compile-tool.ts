import type { CallToolResult, Tool as ToolDefinition } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { describeFailure, type Failure, GatewayError } from '../errors.ts';
import { PUBLISHED, type Tool, type ToolContext } from '../tools/tool.ts';
import { findOversize } from './argument-bounds.ts';
import { describeProblems } from './invalid-arguments.ts';
import { issueMessage } from './issue-message.ts';
import { normalizeArguments, type PlainSchema } from './normalize-arguments.ts';

/** A tool with everything call-independent precomputed. */
export type CompiledTool = Readonly<{
  definition: ToolDefinition;
  activity: string;
  /** Never throws: failures are results with `isError` (specification 2025-11-25, server/tools, error handling). */
  call(args: unknown, context: ToolContext): Promise<ToolOutcome>;
}>;

/** The result for the client, and the outcome for the log: "ok" or the kind of failure, with its cause. */
export type ToolOutcome = Readonly<{ result: CallToolResult; outcome: 'ok' | Failure['kind'] | 'internal'; error?: unknown }>;

/** Redacts the gateway's secrets from tool output. */
export type Mask = <Value>(value: Value) => Value;

/** Builds the `tools/list` definition and wraps the handler in validation and the error boundary. */
export function compileTool<Input extends z.ZodObject, Output extends z.ZodObject>(tool: Tool<Input, Output>, mask: Mask): CompiledTool {
  const { name, title, description, annotations, aliases = {} } = tool;
  const inputSchema = toJsonSchema(tool.input);
  const declared = { schema: inputSchema as PlainSchema, aliases };

  async function run(args: unknown, context: ToolContext): Promise<CallToolResult> {
    const oversize = findOversize(args);
    if (oversize) throw new GatewayError({ kind: 'invalid_input', problems: [oversize] });
    const input = tool.input.safeParse(normalizeArguments(args ?? {}, declared), { error: issueMessage });
    if (!input.success) throw new GatewayError({ kind: 'invalid_input', problems: describeProblems(input.error, declared) });
    const output = mask(tool.output.parse(await tool.handler(input.data, context)));
    return { content: tool.present(output), structuredContent: output };
  }

  return {
    activity: tool.activity,
    definition: { name, title, description, annotations, inputSchema, outputSchema: toJsonSchema(tool.output) },
    async call(args, context) {
      try {
        return { result: await run(args, context), outcome: 'ok' };
      } catch (error) {
        return toOutcome(error, context.requestId, mask);
      }
    },
  };
}

/** The error boundary: converts a thrown error into what the client and the log may see. */
function toOutcome(error: unknown, requestId: string, mask: Mask): ToolOutcome {
  const known = error instanceof GatewayError ? error.failure : undefined;
  const sentence = known ? mask(describeFailure(known)) : 'Internal error.';
  const outcome = known?.kind ?? 'internal';
  const text = `${sentence} (${outcome}, request ${requestId})`;
  return { result: { isError: true, content: [{ type: 'text', text }] }, outcome, error };
}

/**
 * JSON Schema 2020-12, MCP's default dialect. `$schema` is omitted: the validator in 2025-era clients supports only its
 * own dialect and rejects the whole tool when another one is declared.
 */
function toJsonSchema(schema: z.ZodObject): ToolDefinition['inputSchema'] {
  const { $schema: _dialect, ...jsonSchema } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: 'input',
    override: flatten,
  });
  return jsonSchema as ToolDefinition['inputSchema'];
}

/**
 * Makes a schema flat, and drops keywords that carry no information: some clients and model providers reject unions,
 * and models pay for the definitions in every conversation.
 */
function flatten({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  const { [PUBLISHED]: published, description } = jsonSchema;
  if (published) {
    for (const keyword of Object.keys(jsonSchema)) delete jsonSchema[keyword];
    Object.assign(jsonSchema, published, description && { description });
  }
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (isEmpty(jsonSchema.properties)) delete jsonSchema.properties;
  if (isEmpty(jsonSchema.additionalProperties)) jsonSchema.additionalProperties = true;
  delete jsonSchema.propertyNames;
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
