import type { CallToolResult } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { GatewayError } from '../errors.ts';
import type { JobAnswer } from '../jobs/job-call.ts';
import { MAX_NAME_CHARACTERS, MAX_PROBLEMS } from '../limits.ts';
import { publishedAs, type Tool } from '../tools/tool.ts';
import { cut } from './invalid-arguments.ts';
import type { PlainSchema } from './normalize-arguments.ts';

/** When an agent should call again. */
const CALL_AGAIN_SECONDS = 20;
const MAX_KEY_CHARACTERS = 200;

/** The arguments that paid tools have besides their own: they say how to get the result, not what to make. */
export const jobArguments = z.object({
  wait_seconds: z
    .number()
    .min(0)
    .max(600)
    .meta(publishedAs({ type: 'number' }))
    .optional()
    .describe('Seconds to wait for the result, 0 to 600.'),
  job_id: z.string().min(1).max(100).optional().describe('Pass alone to keep waiting. Free.'),
  idempotency_key: z.string().min(1).max(MAX_KEY_CHARACTERS).optional().describe('Reuse it to retry: billed once.'),
  max_cost_usd: z
    .number()
    .min(0)
    .meta(publishedAs({ type: 'number' }))
    .optional()
    .describe('Refuse a call that may cost more.'),
  inline_preview: z.boolean().optional().describe('Also show you each image, small, to judge it.'),
});

/** Those of one tool. */
export function jobArgumentsOf({ pictures }: Tool): z.ZodObject {
  return pictures ? jobArguments : jobArguments.omit({ inline_preview: true });
}

/** One sentence for the description of every paid tool. */
export const JOB_DESCRIPTION = ' If its status is in_progress, call again with only the job_id, for free.';

/** What is published of the fields that every paid tool's result may have; `progress`, `collected` and `started_at` are left out. */
export const jobFields = {
  status: z.string(),
  job_id: z.string(),
  next_step: z.string(),
};

/** Separates the arguments of the job from those of the tool. */
export function splitArguments(args: unknown, { shape }: z.ZodObject): { own: Record<string, unknown>; rest: unknown } {
  if (typeof args !== 'object' || args === null || Array.isArray(args)) return { own: {}, rest: args };
  const isOwn = ([name]: [string, unknown]) => Object.hasOwn(shape, name);
  const entries = Object.entries(args);
  return { own: Object.fromEntries(entries.filter(isOwn)), rest: Object.fromEntries(entries.filter((entry) => !isOwn(entry))) };
}

/** A call that continues a job has nothing else to say. */
export function assertAlone(rest: unknown): void {
  const names = Object.keys(rest as object);
  if (names.length === 0) return;
  const problems = names
    .slice(0, MAX_PROBLEMS)
    .map((name) => `${cut(name, MAX_NAME_CHARACTERS)}: applies to new calls only; omit it with job_id`);
  throw new GatewayError({ kind: 'invalid_input', problems });
}

/** JSON with sorted names, so that equal arguments are equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, child: unknown) =>
    typeof child === 'object' && child !== null && !Array.isArray(child)
      ? Object.fromEntries(Object.entries(child).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : child,
  );
}

/** The schema of a tool's arguments with those of the job, which can replace all others. */
export function withJobArguments(schema: PlainSchema, job: PlainSchema): PlainSchema {
  const { required: _required, ...rest } = schema;
  return { ...rest, properties: { ...schema.properties, ...job.properties } };
}

/** What a client is told about a job that still runs. */
export function inProgress(tool: string, answer: Extract<JobAnswer, { status: 'in_progress' }>, upstreamName: string | undefined) {
  const { jobId: job_id, percent, checkpoint } = answer;
  const next_step = `${percent === undefined ? 'Not finished yet' : `${percent}% complete`}: call ${tool} with only job_id "${job_id}" in about ${CALL_AGAIN_SECONDS} s to get the result. That call is not billed.`;
  return {
    status: 'in_progress' as const,
    job_id,
    ...(upstreamName && checkpoint && { [upstreamName]: checkpoint }),
    ...(percent !== undefined && { progress: percent }),
    next_step,
    ...collectedFields(answer),
    ...(answer.warning && { warning: answer.warning }),
  };
}

/** Says that an answer belongs to an earlier call. */
export function collectedFields({ collected, startedMs }: JobAnswer): { collected?: true; started_at?: string } {
  return collected ? { collected: true, started_at: new Date(startedMs).toISOString() } : {};
}

export function collectedBlocks(answer: JobAnswer): CallToolResult['content'] {
  const { collected, startedMs, warning } = answer;
  const text = collected
    ? `Collected: the result of the call of ${new Date(startedMs).toISOString()}, which is not billed again.`
    : undefined;
  return [text, warning].filter((line) => line !== undefined).map((line) => ({ type: 'text', text: line }));
}
