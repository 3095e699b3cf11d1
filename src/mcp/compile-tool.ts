import type { CallToolResult, Tool as ToolDefinition } from '@modelcontextprotocol/server';
import * as z from 'zod';
import type { Principal } from '../auth/principal.ts';
import { describeFailure, type Failure, GatewayError, mapRetry } from '../errors.ts';
import type { JobAnswer, JobCall } from '../jobs/job-call.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { Work } from '../jobs/local-job.ts';
import { promptOf } from '../jobs/made.ts';
import { previewBlocks } from '../tools/previews.ts';
import { PUBLISHED, type Tool, type ToolContext } from '../tools/tool.ts';
import type { JobRef } from '../usage/accounts.ts';
import type { Charge } from '../usage/charge.ts';
import type { Estimate } from '../usage/cost.ts';
import { type Pace, whilePaced } from '../usage/pace.ts';
import { MEDIA_APP_META } from './apps.ts';
import { findOversize } from './argument-bounds.ts';
import { describeProblems } from './invalid-arguments.ts';
import { issueMessage } from './issue-message.ts';
import {
  assertAlone,
  canonicalJson,
  collectedBlocks,
  collectedFields,
  inProgress,
  JOB_DESCRIPTION,
  jobArguments,
  jobArgumentsOf,
  jobFields,
  splitArguments,
  withJobArguments,
} from './job-arguments.ts';
import { normalizeArguments, type PlainSchema } from './normalize-arguments.ts';
import type { PresentTask } from './tasks.ts';

/** The client of one call, as a job sees it. */
export type Caller = Readonly<{
  principal: Principal;
  rpcId: string | number;
  /** Resolves to whether the client has received the result. */
  delivered: () => Promise<boolean>;
  /** Keeps work running after the client disconnects. */
  waitUntil: (work: Promise<unknown>) => void;
  /** Runs paid calls; `undefined` where no state can be stored. */
  jobs: Jobs | undefined;
  /** Does work within the budgets, and adds up what was used. */
  charge: Charge;
  pace: Pace;
  /** For a client that polls: a paid call does not wait, and this presents what still runs. */
  presentTask?: PresentTask | undefined;
}>;

/** A tool with everything call-independent precomputed. */
export type CompiledTool = Readonly<{
  definition: ToolDefinition;
  activity: string;
  /** Never throws: failures are results with `isError` (specification 2025-11-25, server/tools, error handling). */
  call(args: unknown, context: ToolContext, caller: Caller): Promise<ToolOutcome>;
  /** The result of a job of this tool that has ended, as its call would have returned it. Never throws. */
  collect(jobId: string, context: ToolContext, caller: Caller): Promise<ToolOutcome>;
  /** What a call would be as a job; `undefined` if it starts and continues none, or is invalid. */
  jobOf(args: unknown, isTask?: boolean): Promise<CalledJob | undefined>;
}>;

type CalledJob = Readonly<{ jobId: string } | { tool: string; digest: string; key: string | undefined }>;

/** The result for the client, and the outcome for the log: "ok" or the kind of failure, with its cause. */
export type ToolOutcome = Readonly<{ result: CallToolResult; outcome: 'ok' | Failure['kind'] | 'internal'; error?: unknown }>;

/** Redacts the gateway's secrets from tool output. */
export type Mask = <Value>(value: Value) => Value;

export type CompileOptions = Readonly<{
  mask: Mask;
  /** How long a paid call waits for its result unless it says so itself. */
  defaultWaitMs: number;
  /** Whether the list of what was made has the prompts. */
  storePrompts?: boolean;
  /** Whether results show their pictures unless the call says otherwise. */
  inlinePreview: boolean;
}>;

/** Builds the `tools/list` definition and wraps the handler in validation and the error boundary. */
export function compileTool<Input extends z.ZodObject, Output extends z.ZodObject>(
  tool: Tool<Input, Output>,
  { mask, defaultWaitMs, storePrompts = false, inlinePreview: showsPictures }: CompileOptions,
): CompiledTool {
  const { name, title, annotations, aliases = {}, job, app } = tool;
  const ownSchema = jobArgumentsOf(tool);
  const definition = { name, title, annotations, ...describe(tool, ownSchema), ...(app && { _meta: MEDIA_APP_META }) };
  const declared = { schema: definition.inputSchema as PlainSchema, aliases };

  async function run(args: unknown, context: ToolContext, caller: Caller): Promise<CallToolResult> {
    const oversize = findOversize(args);
    if (oversize) throw new GatewayError({ kind: 'invalid_input', problems: [oversize] });
    const normal = normalizeArguments(args ?? {}, declared);
    if (!job) return present(await work(parse(tool.input, normal), context, caller), context);
    const { own, rest } = splitArguments(normal, ownSchema);
    const { wait_seconds, job_id, idempotency_key: key, max_cost_usd, inline_preview: inlinePreview } = parse(jobArguments, own);
    const waitMs = wait_seconds === undefined ? defaultWaitMs : wait_seconds * 1000;
    if (job_id !== undefined) {
      assertAlone(rest);
      return presentAnswer(await resume(job_id, waitMs, context, caller), context, caller, inlinePreview);
    }
    const input = parse(tool.input, rest);
    const { jobs } = caller;
    if (key !== undefined && !jobs) throw stateless('idempotency_key');
    const isContinued = job.upstreamJob?.isContinued(input) ?? false;
    const estimate = isContinued ? undefined : estimateOf(input, context);
    const assertMayStart = () => assertAffordable(estimate, max_cost_usd);
    if (!jobs || isContinued) {
      assertMayStart();
      const startedMs = context.clock.now();
      const working = work(input, { ...context, waitMs }, caller, estimate);
      // Not for what ends with its client: on workerd, a stream with such work does not notice that its client has left.
      if (!jobs && job.runs === 'always') caller.waitUntil(working.catch(() => {}));
      const output = await working;
      jobs?.note(caller.principal, name, startedMs, output);
      return present(output, context, inlinePreview);
    }
    await tool.check?.(input, context);
    const prompt = storePrompts ? promptOf(input) : undefined;
    const estimateUsd = () => usdOf(estimate?.());
    const ofJob = { digest: () => digestOf(input), key, prompt, inlinePreview, estimateUsd, assertMayStart };
    const call = { ...toJobCall(waitMs, context, caller), ...ofJob };
    const isRecorded = job.runs === 'always' || key !== undefined || caller.presentTask !== undefined;
    const doWork = workOf(input, { ...context, isKept: isRecorded }, caller, estimate);
    const answer = await (isRecorded ? jobs.run(call, doWork) : jobs.runIfSlow(call, doWork));
    return presentAnswer(answer, context, caller, inlinePreview);
  }

  /** What the call may cost, worked out when it is first needed; `undefined` if the tool is free. */
  function estimateOf(input: z.output<Input>, context: ToolContext): (() => Estimate) | undefined {
    let estimate: Estimate | undefined;
    if (!tool.estimate) return undefined;
    return () => {
      estimate ??= tool.estimate?.(input, context) as Estimate;
      return estimate;
    };
  }

  /** Validates, and describes what is wrong with the name of each argument. */
  function parse<Schema extends z.ZodObject>(schema: Schema, value: unknown): z.output<Schema> {
    const parsed = schema.safeParse(value, { error: issueMessage });
    if (!parsed.success) throw new GatewayError({ kind: 'invalid_input', problems: describeProblems(parsed.error, declared) });
    return parsed.data;
  }

  async function resume(jobId: string, waitMs: number, context: ToolContext, caller: Caller): Promise<JobAnswer> {
    if (!caller.jobs) throw stateless('job_id');
    return caller.jobs.resume(toJobCall(waitMs, context, caller), jobId, workOf(undefined, { ...context, isKept: true }, caller));
  }

  function toJobCall(maxWaitMs: number, context: ToolContext, { principal, rpcId, delivered, presentTask }: Caller): JobCall {
    const waitMs = presentTask ? 0 : maxWaitMs;
    const { signal, progress: report, requestId, measures } = context;
    // A task is known by the id of its job alone.
    const needsCheckpoint = job?.upstreamJob !== undefined && !presentTask;
    return { principal, tool: name, rpcId, waitMs, needsCheckpoint, signal, delivered, report, requestId, measures };
  }

  /** `estimate`: of new work. What is continued has been charged by the process that began it, or will be by its record. */
  function workOf(input: z.output<Input> | undefined, context: ToolContext, caller: Caller, estimate?: () => Estimate): Work {
    return ({ job: ref, ...running }, checkpoint) => {
      const isNew = checkpoint === undefined;
      const continued = isNew ? input : job?.upstreamJob?.continueFrom(checkpoint);
      const runContext = { ...context, ...running, waitMs: Number.POSITIVE_INFINITY };
      return handle(continued as z.output<Input>, runContext, caller, isNew ? estimate : undefined, ref);
    };
  }

  async function work(input: z.output<Input>, context: ToolContext, caller: Caller, estimate?: () => Estimate): Promise<z.output<Output>> {
    await tool.check?.(input, context);
    return handle(input, context, caller, estimate);
  }

  async function handle(
    input: z.output<Input>,
    context: ToolContext,
    { principal, charge }: Caller,
    estimate?: () => Estimate,
    ref?: JobRef,
  ): Promise<z.output<Output>> {
    const complete = (output: unknown) => mask(tool.output.parse(output));
    const { measure, measures } = context;
    return charge({ principal, tool: name, estimate, job: ref, measure, measures }, async () => {
      const handled = tool.handler(input, context).catch((error: unknown) => {
        throw mapRetry(error, complete);
      });
      return complete(await handled);
    });
  }

  async function present(output: z.output<Output>, context: ToolContext, isShown = showsPictures): Promise<CallToolResult> {
    const previews = isShown && tool.pictures ? await previewBlocks(tool.pictures(output), context) : [];
    return { content: [...tool.present(output), ...previews], structuredContent: output };
  }

  async function presentAnswer(
    answer: JobAnswer,
    context: ToolContext,
    { presentTask }: Caller,
    isShown = answer.inlinePreview,
  ): Promise<CallToolResult> {
    if (answer.status === 'in_progress') {
      if (presentTask) return presentTask(answer);
      const output = mask(inProgress(name, answer, job?.upstreamJob?.name));
      return { content: [{ type: 'text', text: output.next_step }, ...collectedBlocks(answer)], structuredContent: output };
    }
    const output = { ...answer.output, ...collectedFields(answer), ...(answer.warning && { warning: withWarning(answer) }) };
    const { content } = await present(answer.output as z.output<Output>, context, isShown);
    return { content: [...content, ...collectedBlocks(answer)], structuredContent: output };
  }

  async function jobOf(args: unknown, isTask = false): Promise<CalledJob | undefined> {
    if (!job || findOversize(args)) return undefined;
    const { own, rest } = splitArguments(normalizeArguments(args ?? {}, declared), ownSchema);
    const { wait_seconds, job_id: jobId, idempotency_key: key } = jobArguments.safeParse(own).data ?? {};
    if (jobId !== undefined) return { jobId };
    const input = tool.input.safeParse(rest);
    const isJob = job.runs === 'always' || isTask || key !== undefined || wait_seconds !== undefined;
    if (!input.success || !isJob || job.upstreamJob?.isContinued(input.data)) return undefined;
    return { tool: name, digest: await digestOf(input.data), key };
  }

  return {
    activity: tool.activity,
    definition,
    jobOf,
    async collect(jobId, context, caller) {
      try {
        const answer = await resume(jobId, 0, context, caller);
        const result =
          answer.status === 'in_progress'
            ? presentAnswer(answer, context, caller)
            : present(answer.output as z.output<Output>, context, answer.inlinePreview);
        return { result: await result, outcome: 'ok' };
      } catch (error) {
        return recordedOutcome(error, context.requestId) ?? toOutcome(error, context.requestId, mask);
      }
    },
    async call(args, context, caller) {
      try {
        const running = whilePaced(caller.pace, caller.principal, context.requestId, () => run(args, context, caller));
        // On Workers, a call ends with its client, and what it still holds would be released by nobody. Not before: see `run`.
        context.signal.addEventListener('abort', () => caller.waitUntil(running.catch(() => {})), { once: true });
        return { result: await running, outcome: 'ok' };
      } catch (error) {
        return toOutcome(error, context.requestId, mask);
      }
    },
  };
}

function withWarning({ output, warning }: Extract<JobAnswer, { status: 'completed' }>): string {
  return [output.warning, warning].filter((text) => text !== undefined).join(' ');
}

function stateless(argument: string): GatewayError {
  return new GatewayError({ kind: 'invalid_input', problems: [`${argument}: needs storage, which is not configured on this gateway`] });
}

/** Throws when a call may cost more than its caller allows, or when that is not known. */
function assertAffordable(estimate: (() => Estimate) | undefined, maximumUsd: number | undefined): void {
  if (maximumUsd === undefined || !estimate) return;
  const estimated = estimate();
  if ('problem' in estimated || estimated.usd > maximumUsd) throw new GatewayError({ kind: 'too_expensive', maximumUsd, ...estimated });
}

function usdOf(estimate: Estimate | undefined): number | undefined {
  return estimate && 'usd' in estimate ? estimate.usd : undefined;
}

/** SHA-256 of the normalised arguments, in hexadecimal. */
async function digestOf(input: object): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(canonicalJson(input)));
  return new Uint8Array(bytes).toHex();
}

/** What `tools/list` says of the arguments and the result. */
function describe(tool: Tool, ownSchema: z.ZodObject): Pick<ToolDefinition, 'description' | 'inputSchema' | 'outputSchema'> {
  const { description, input, output, job } = tool;
  // Some model providers reject a schema without properties.
  const inputSchema = { properties: {}, ...toJsonSchema(input) };
  if (!job) return { description, inputSchema, outputSchema: toOutputSchema(output) };
  return {
    description: description + JOB_DESCRIPTION,
    inputSchema: withJobArguments(inputSchema as PlainSchema, toJsonSchema(ownSchema) as PlainSchema) as ToolDefinition['inputSchema'],
    outputSchema: toOutputSchema(output.extend(jobFields).partial()),
  };
}

const HELD = 'The gateway still holds it for 15 minutes: repeat the call with the same arguments to store it, which is not billed again.';

/** The error boundary: converts a thrown error into what the client and the log may see. */
function toOutcome(error: unknown, requestId: string, mask: Mask): ToolOutcome {
  const known = error instanceof GatewayError ? error.failure : undefined;
  const sentence = known ? mask(describeFailure(known)) : 'Internal error.';
  const outcome = known?.kind ?? 'internal';
  const held = error instanceof GatewayError && error.retry ? ` ${HELD}` : '';
  return { result: errorResult(sentence + held, outcome, requestId), outcome, error };
}

/** A failure that is read from its record, as its own call would have reported it. */
function recordedOutcome(error: unknown, requestId: string): ToolOutcome | undefined {
  if (!(error instanceof GatewayError) || error.failure.kind !== 'job_failed') return undefined;
  const { sentence, outcome, kind } = error.failure;
  return { result: errorResult(sentence, outcome, requestId), outcome: kind, error };
}

function errorResult(sentence: string, outcome: string, requestId: string): CallToolResult {
  return { isError: true, content: [{ type: 'text', text: `${sentence} (${outcome}, request ${requestId})` }] };
}

/** Of what is inside a result, only what it always has: models read this in every conversation, and results speak for themselves. */
function toOutputSchema(output: z.ZodObject): ToolDefinition['outputSchema'] {
  const schema = toJsonSchema(output);
  for (const [name, property] of Object.entries(schema.properties ?? {}) as [string, Published][]) {
    if (property.isHidden) delete schema.properties?.[name];
    pruneOptional(property);
    // That is so unless it is forbidden.
    if (property.additionalProperties === true) delete property.additionalProperties;
  }
  return schema;
}

type Published = {
  isHidden?: true;
  properties?: Record<string, Published>;
  items?: Published;
  required?: readonly string[];
  additionalProperties?: unknown;
};

function pruneOptional({ properties, items, required = [] }: Published): void {
  if (items) pruneOptional(items);
  for (const [name, property] of Object.entries(properties ?? {})) {
    if (required.includes(name)) pruneOptional(property);
    else delete properties?.[name];
  }
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

/** How a text may be written: the descriptions say it as far as it matters, and the handler's errors say the rest. */
const TEXT_BOUNDS = ['minLength', 'maxLength', 'pattern'];

/**
 * Makes a schema flat, and drops keywords that tell a model little: some clients and model providers reject unions, and
 * models pay for the definitions in every conversation.
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
  for (const keyword of [...TEXT_BOUNDS, 'propertyNames']) delete jsonSchema[keyword];
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
