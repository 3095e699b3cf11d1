import {
  type CallToolResult,
  CLIENT_CAPABILITIES_META_KEY,
  MissingRequiredClientCapabilityError,
  ProtocolError,
  ProtocolErrorCode,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import { mayUse } from '../auth/principal.ts';
import type { JobAnswer } from '../jobs/job-call.ts';
import type { JobStatus, Jobs } from '../jobs/jobs.ts';
import { isOrphaned } from '../jobs/record.ts';
import { MAX_NAME_CHARACTERS } from '../limits.ts';
import type { Clock } from '../ports.ts';
import { exchangeOf } from './exchange.ts';
import { cut } from './invalid-arguments.ts';

/** The extension of SEP-2663: a paid call is answered with a task, whose id is that of the job, and the client polls. */
const TASKS = 'io.modelcontextprotocol/tasks';

/** What a server that has it adds to its extensions, and requires of a client. */
export const TASKS_EXTENSION = { [TASKS]: {} };

type InProgress = Extract<JobAnswer, { status: 'in_progress' }>;

/** Presents a job that still runs, to a client that polls. */
export type PresentTask = (job: InProgress) => CallToolResult;

export type TasksOptions = Readonly<{
  jobs: Jobs;
  clock: Pick<Clock, 'now'>;
  /** The result of a job that has ended; a task if the job is continued instead, or `undefined` if it has no tool. */
  collect: (job: JobStatus, context: ServerContext) => Promise<CallToolResult> | undefined;
}>;

const FIRST_POLL_MS = 1_000;
const MAX_POLL_MS = 5_000;
/** An older job is polled less often: after this part of its age. */
const POLLS_PER_AGE = 4;

const taskParams = z.object({ taskId: z.string() });

/** Whether the client declares the extension in this request, as it must in each. */
export function declaresTasks({ mcpReq }: ServerContext): boolean {
  const envelope: Record<string, unknown> = mcpReq.envelope ?? {};
  return hasExtension(envelope[CLIENT_CAPABILITIES_META_KEY]);
}

/** The same of a message that was not dispatched yet. */
export function messageDeclaresTasks(message: object): boolean {
  const { params } = message as { params?: { _meta?: Record<string, unknown> } };
  return hasExtension(params?._meta?.[CLIENT_CAPABILITIES_META_KEY]);
}

function hasExtension(capabilities: unknown): boolean {
  const { extensions } = (capabilities ?? {}) as { extensions?: Record<string, unknown> | null };
  return extensions?.[TASKS] !== undefined;
}

/** Presents jobs as tasks to the client of one call. While that client polls, its job is not given to another call. */
export function createPresentTask({ jobs, clock }: TasksOptions, delivered: () => Promise<boolean>): PresentTask {
  return (job) => {
    const { jobId, startedMs, percent, collected, warning } = job;
    jobs.polls.note(jobId);
    void delivered().then((isDelivered) => {
      if (!isDelivered) jobs.polls.forget(jobId);
    });
    const joined = collected
      ? `The call of ${iso(startedMs)} with the same arguments still runs; this one joins it and is not billed.`
      : undefined;
    const message = [warning, joined, progressOf(percent)].filter((text) => text !== undefined).join(' ');
    return { resultType: 'task', content: [], ...working(job, message), ...timesOf(startedMs, undefined, jobs, clock) };
  };
}

function isTask({ resultType }: CallToolResult): boolean {
  return resultType === 'task';
}

/** Handles the methods of the extension. */
export function handleTasks(server: Server, options: TasksOptions): void {
  const { jobs, clock, collect } = options;

  /** Throws what the specification demands for clients without the extension and for tasks that are not theirs. */
  async function find(taskId: string, context: ServerContext): Promise<JobStatus> {
    if (!declaresTasks(context)) throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { extensions: TASKS_EXTENSION } });
    const { principal } = exchangeOf(context);
    const job = await jobs.find(principal, taskId);
    return job && mayUse(principal, job.tool) ? job : unknown(taskId);
  }

  server.setRequestHandler('tasks/get', { params: taskParams }, async ({ taskId }, context) => {
    const job = await find(taskId, context);
    const task = { taskId, ...timesOf(job.started_ms, job.ended_ms, jobs, clock) };
    if (job.failure?.kind === 'cancelled') return { ...task, status: 'cancelled' };
    if (job.state === 'running' && !isOrphaned(job, clock.now())) {
      jobs.polls.note(taskId);
      return { ...task, ...working({ jobId: taskId }, job.cancel_requested ? SENT : progressOf(job.percent)) };
    }
    const result = await (collect(job, context) ?? unknown(taskId));
    if (isTask(result)) return { ...task, ...working({ jobId: taskId }, undefined) };
    const message = job.cancel_requested && { statusMessage: SENT };
    return { ...task, status: 'completed', ...message, result: { resultType: 'complete', ...result } };
  });

  server.setRequestHandler('tasks/cancel', { params: taskParams }, async ({ taskId }, context) => {
    await find(taskId, context);
    jobs.cancel(taskId);
    return {};
  });

  // No tool asks its client for input, so there is nothing that a response could belong to.
  server.setRequestHandler('tasks/update', { params: taskParams }, async ({ taskId }, context) => {
    await find(taskId, context);
    return {};
  });
}

const SENT = 'Cancelled after the call had been sent: it is finished and billed, and its result is kept.';

function unknown(taskId: string): never {
  const name = cut(taskId, MAX_NAME_CHARACTERS);
  throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Task ${name} is unknown, has expired, or belongs to another client.`);
}

function working({ jobId }: Pick<InProgress, 'jobId'>, statusMessage: string | undefined) {
  return { taskId: jobId, status: 'working', ...(statusMessage && { statusMessage }) };
}

function timesOf(startedMs: number, endedMs: number | undefined, { keptMs }: Jobs, { now }: Pick<Clock, 'now'>) {
  const pollIntervalMs = Math.round(Math.min(Math.max((now() - startedMs) / POLLS_PER_AGE, FIRST_POLL_MS), MAX_POLL_MS));
  return { createdAt: iso(startedMs), lastUpdatedAt: iso(endedMs ?? startedMs), ttlMs: keptMs, pollIntervalMs };
}

function progressOf(percent: number | undefined): string | undefined {
  return percent === undefined ? undefined : `${percent}% complete`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
