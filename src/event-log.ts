import type { GatewayEvent, Sink } from './events.ts';
import { MAX_REFUSALS_PER_MINUTE } from './limits.ts';
import type { Log } from './log.ts';
import type { Clock } from './ports.ts';

const MINUTE_MS = 60_000;

/** The log of what happens. */
export function createEventLog({ log, now }: Readonly<{ log: Log }> & Pick<Clock, 'now'>): Sink {
  const logRefusal = createRefusalLog(log, now);
  return (event) => {
    switch (event.type) {
      case 'request':
        return logRequest(event, log);
      case 'tool_call':
        return logToolCall(event, log);
      case 'upstream': {
        const { operation, model, host, durationMs: duration_ms, errorType: error } = event;
        return log.debug('upstream', { operation, model, host, duration_ms, error });
      }
      case 'job':
        return logJob(event, log);
      case 'refusal':
        return logRefusal(event);
    }
  };
}

type Of<Type extends GatewayEvent['type']> = Extract<GatewayEvent, { type: Type }>;

function logRequest({ requestId, principal, method, path, status, durationMs }: Of<'request'>, log: Log): void {
  log.info('request', { request_id: requestId, ...(principal && { principal }), method, path, status, duration_ms: durationMs });
}

function logToolCall({ requestId, principal, tool, durationMs, measures, outcome, error }: Of<'tool_call'>, log: Log): void {
  const fields = { request_id: requestId, principal, tool, outcome, duration_ms: durationMs, ...measures };
  if (outcome === 'ok') log.info('tool_call', fields);
  else if (outcome === 'internal') log.error('tool_call', { ...fields, error: stackOf(error) });
  else log.warn('tool_call', { ...fields, ...describeFailureForLog(error) });
}

function logJob({ requestId, jobId, principal, tool, state, durationMs, measures }: Of<'job'>, log: Log): void {
  const fields = { request_id: requestId, ...measures, job_id: jobId, principal, tool, state, duration_ms: durationMs };
  if (measures) log.info('job', fields);
  else log.warn('job', fields);
}

/** Never floods the log: anyone can send what is refused. The first warning of a later minute counts the rest. */
function createRefusalLog(log: Log, now: () => number): (refusal: Of<'refusal'>) => void {
  let minuteStartMs = Number.NEGATIVE_INFINITY;
  let logged = 0;
  let omitted = 0;
  return ({ kind, requestId, reason }) => {
    if (Math.abs(now() - minuteStartMs) >= MINUTE_MS) {
      minuteStartMs = now();
      logged = 0;
    }
    if (logged >= MAX_REFUSALS_PER_MINUTE) {
      omitted++;
      return;
    }
    logged++;
    const fields = { request_id: requestId, reason, ...(omitted > 0 && { omitted }) };
    if (kind === 'bearer') log.warn('bearer_refused', fields);
    else log.warn('call_refused', { kind, ...fields });
    omitted = 0;
  };
}

export function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/**
 * The message sent to the client and, if available, the code of the root cause (ECONNREFUSED, …). Messages of causes are
 * omitted: an upstream's may quote the API key.
 */
function describeFailureForLog(error: unknown): { error: string; code?: string } {
  let cause = error;
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
  const code = cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? { code: cause.code } : {};
  return { error: error instanceof Error ? error.message : String(error), ...code };
}
