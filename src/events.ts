import type { Runtime, Span } from './ports.ts';

/** What the log says about a tool call. Never prompts, results or URLs. */
export type Measures = Readonly<
  Partial<{
    model: string;
    /** Waiting for the upstream; for images, until the last is read. */
    upstream_ms: number;
    /** Storing media; media that is stored as it arrives includes waiting for it. */
    upload_ms: number;
    input_tokens: number;
    output_tokens: number;
    /** Billed by the upstream for this call, as far as that is known. */
    cost_usd: number;
    images: number;
    /** Of video. */
    seconds: number;
    /** Of speech. */
    characters: number;
    /** Of long speech, made by this call. */
    pieces: number;
    /** Stored by this call. */
    bytes: number;
    blobs: readonly string[];
  }>
>;

/** `measures` grow while the job of a call goes on, so the object stays the same. */
type ToolCallEnded = Readonly<{
  type: 'tool_call';
  requestId: string;
  principal: string;
  tool: string;
  durationMs: number;
  measures: Measures;
  /** "ok", or the kind of failure. */
  outcome: string;
  error?: unknown;
}>;

/** A request to an upstream, with what is read of its answer; `errorType` if it failed: the status, or the kind of failure. */
type UpstreamEnded = Readonly<{
  type: 'upstream';
  operation: string;
  model: string | undefined;
  /** As OpenTelemetry names it. */
  provider: string;
  host: string;
  durationMs: number;
  inputTokens?: number | undefined;
  outputTokens?: number | undefined;
  errorType?: string | undefined;
}>;

/** A job, whether or not its client was there. Without measures, it was found to have lost its process. */
type JobEnded = Readonly<{
  type: 'job';
  requestId: string | undefined;
  jobId: string;
  /** The name; the id if only the record knows it. */
  principal: string;
  tool: string;
  state: string;
  durationMs: number;
  measures?: Measures | undefined;
}>;

/** An HTTP request, whose response has been sent. */
type RequestEnded = Readonly<{
  type: 'request';
  requestId: string;
  principal: string | undefined;
  method: string;
  path: string;
  status: number;
  durationMs: number;
}>;

/** What was refused before it became a call; `kind` and `reason` are from closed sets. */
type Refused = Readonly<{ type: 'refusal'; kind: 'bearer' | 'rate'; requestId: string; reason: string }>;

export type GatewayEvent = ToolCallEnded | UpstreamEnded | JobEnded | RequestEnded | Refused;

/** Who is told of every event: the log, metrics. */
export type Sink = (event: GatewayEvent) => void;

/** A piece of work that is a span of a trace. */
export type SpanStart = Readonly<{
  name: string;
  kind: 'server' | 'client';
  /** A W3C traceparent; by default, the span that is current. */
  parent?: string | undefined;
  /** The parent where no span is current. */
  fallbackParent?: string | undefined;
  attributes: SpanAttributes;
}>;

/** By the names of OpenTelemetry's semantic conventions. */
export type SpanAttributes = Readonly<Record<string, string | number | undefined>>;

/** What happens in the gateway, told to all who watch it. */
export type Events = Readonly<{
  emit: Sink;
  /** Does work within a span, where there are traces. */
  during: <Result>(start: () => SpanStart, work: (span: Span | undefined) => Promise<Result>) => Promise<Result>;
  /** The W3C traceparent of the current span; `undefined` where there are no traces. */
  traceparent: () => string | undefined;
}>;

type EventsRuntime = Pick<Runtime, 'log' | 'sinks' | 'tracing'>;

/** Composes the sinks of a runtime, after the log. One that throws disturbs nothing. */
export function createEvents(logEvent: Sink, { log, sinks = [], tracing }: EventsRuntime): Events {
  function emit(event: GatewayEvent): void {
    logEvent(event);
    for (const sink of sinks) {
      try {
        sink(event);
      } catch (error) {
        log.debug('sink_failed', { error: String(error) });
      }
    }
  }
  if (!tracing) return { emit, during: (_, work) => work(undefined), traceparent: () => undefined };
  return {
    emit,
    during: (start, work) => (tracing.isTraced() ? tracing.enterSpan(start(), work) : work(undefined)),
    traceparent: tracing.traceparent,
  };
}

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** A traceparent from outside (https://www.w3.org/TR/trace-context/#traceparent-header); `undefined` if it is invalid. */
export function traceparentOf(value: unknown): string | undefined {
  return typeof value === 'string' && TRACEPARENT.test(value) ? value : undefined;
}

/**
 * Tells how much of a call has not been counted before: the measures of a call are seen twice if it becomes a job, when
 * it ends and when the job does.
 */
export function createUncounted(): (measures: Measures) => { costUsd: number; bytes: number } {
  const counted = new WeakMap<Measures, { costUsd: number; bytes: number }>();
  return (measures) => {
    const before = counted.get(measures) ?? { costUsd: 0, bytes: 0 };
    const { cost_usd: costUsd = 0, bytes = 0 } = measures;
    counted.set(measures, { costUsd, bytes });
    return { costUsd: Math.max(0, costUsd - before.costUsd), bytes: Math.max(0, bytes - before.bytes) };
  };
}
