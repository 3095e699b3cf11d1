import { z } from 'zod';
import { GatewayError } from '../../src/errors.ts';
import { type CompiledTool, compileTool, type Mask } from '../../src/mcp/compile-tool.ts';
import { defineTool, type Tool, type ToolContext } from '../../src/tools/tool.ts';

const output = z.object({ text: z.string() });
const annotations = { readOnlyHint: true, openWorldHint: false };
const none = z.object({});

/** The tools of the `tasks-*` scenarios, made as the tools of the product are. */
const greet = define('greet', z.object({ name: z.string() }), async ({ name }) => `Hello, ${name}!`);

const slowCompute = defineJob('slow_compute', z.object({ seconds: z.number(), label: z.string() }), async ({ seconds, label }, context) => {
  await sleep(seconds, context);
  return `Computed ${label}.`;
});

const failingJob = defineJob('failing_job', none, async (_, context) => {
  await sleep(1, context);
  throw new GatewayError({ kind: 'upstream_timeout', service: 'The fixture', paid: false });
});

const protocolErrorJob = defineJob('protocol_error_job', none, async (_, context) => {
  await sleep(1, context);
  throw new Error('A bug.');
});

/** It does not ask for the confirmation. */
const confirmDelete = defineJob('confirm_delete', z.object({ filename: z.string() }), async ({ filename }) => `Kept ${filename}.`);

const tools: readonly Tool[] = [greet, slowCompute, failingJob, protocolErrorJob, confirmDelete] as readonly unknown[] as Tool[];

export const TASK_TOOLS = tools.map(({ name }) => name);

export function compileTaskTools(mask: Mask): CompiledTool[] {
  return tools.map((tool) => compileTool(tool, { mask, defaultWaitMs: 45_000, inlinePreview: false }));
}

function define<Input extends z.ZodObject>(
  name: string,
  input: Input,
  handle: (input: z.output<Input>, context: ToolContext) => Promise<string>,
) {
  return defineTool({
    name,
    title: name,
    description: `Fixture of the conformance suite: ${name}`,
    activity: name,
    annotations,
    input,
    output,
    handler: async (given, context) => ({ text: await handle(given, context) }),
    present: ({ text }) => [{ type: 'text', text }],
  });
}

function defineJob<Input extends z.ZodObject>(...parts: Parameters<typeof define<Input>>) {
  return { ...define(...parts), job: { runs: 'always' as const } };
}

async function sleep(seconds: number, { clock, signal }: ToolContext): Promise<void> {
  await clock.sleep(seconds * 1000, signal).catch((cause: unknown) => {
    throw new GatewayError({ kind: 'cancelled' }, { cause });
  });
}
