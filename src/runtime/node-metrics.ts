import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { createUncounted, type GatewayEvent, type Sink } from '../events.ts';
import { MAX_LABEL_VALUES } from '../limits.ts';
import type { Load, Runtime } from '../ports.ts';

/** Those that OpenTelemetry advises for each, in seconds and in tokens. */
const CALL_BUCKETS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
const UPSTREAM_BUCKETS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68];
const REQUEST_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 60];
const TOKEN_BUCKETS = Array.from({ length: 14 }, (_, power) => 4 ** power);

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);
const ROUTES = new Set(['/', '/mcp', '/sse', '/messages', '/uploads/…', '/health', '/ready', '/metrics', '/register']);

type Of<Type extends GatewayEvent['type']> = Extract<GatewayEvent, { type: Type }>;
type Metrics = ReturnType<typeof createAll>;
export type NodeMetrics = Readonly<{ sink: Sink; scrape: NonNullable<Runtime['scrape']> }>;

/** Metrics of this process for Prometheus, by OpenTelemetry's names where it has some. Every label is bounded. */
export function createNodeMetrics(): NodeMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = createAll(registry);
  const count = createCount(metrics);
  return {
    sink: count,
    async scrape({ callsInFlight, jobsRunning, memoryReservedBytes }: Load) {
      metrics.callsInFlight.set(callsInFlight);
      metrics.jobsRunning.set(jobsRunning);
      metrics.memoryReserved.set(memoryReservedBytes);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

function createAll(registry: Registry) {
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
  const histogram = <Label extends string>(name: string, help: string, labelNames: readonly Label[], buckets: number[]) =>
    new Histogram({ name, help, labelNames, buckets, registers });
  const callLabels = ['mcp_method_name', 'gen_ai_tool_name', 'error_type'] as const;
  const upstreamLabels = ['gen_ai_operation_name', 'gen_ai_provider_name', 'gen_ai_request_model', 'server_address'] as const;
  const requestLabels = ['http_request_method', 'http_route', 'http_response_status_code'] as const;
  return {
    callSeconds: histogram('mcp_server_operation_duration_seconds', 'Tool calls.', callLabels, CALL_BUCKETS),
    calls: counter('mcp_tool_calls_total', 'Tool calls by outcome.', ['tool', 'outcome', 'principal']),
    cost: counter('mcp_tool_cost_usd_total', 'What tool calls and their jobs have cost, in USD.', ['tool', 'model', 'principal']),
    mediaBytes: counter('mcp_media_stored_bytes_total', 'Media stored by tool calls and their jobs.', ['tool']),
    jobs: counter('mcp_jobs_total', 'Jobs that have ended.', ['tool', 'state']),
    refusals: counter('mcp_refusals_total', 'What was refused before it became a call.', ['kind', 'reason']),
    upstreamSeconds: histogram(
      'gen_ai_client_operation_duration_seconds',
      'Requests to upstreams, with their retries.',
      [...upstreamLabels, 'error_type'],
      UPSTREAM_BUCKETS,
    ),
    tokens: histogram(
      'gen_ai_client_token_usage',
      'Tokens of one request, as the upstream has reported them.',
      [...upstreamLabels, 'gen_ai_token_type'],
      TOKEN_BUCKETS,
    ),
    requestSeconds: histogram('http_server_request_duration_seconds', 'HTTP requests.', requestLabels, REQUEST_BUCKETS),
    callsInFlight: gauge('mcp_calls_in_flight', 'Tool calls and uploads that run now, with or without their client.'),
    jobsRunning: gauge('mcp_jobs_running', 'Jobs that run now.'),
    memoryReserved: gauge('mcp_media_memory_reserved_bytes', 'Memory that is reserved for media in flight.'),
  };
}

function createCount(metrics: Metrics): Sink {
  const principals = createLabel();
  const models = createLabel();
  const uncounted = createUncounted();

  function countCall({ tool, outcome, principal, durationMs }: Of<'tool_call'>): void {
    const error_type = outcome === 'ok' ? '' : 'tool_error';
    metrics.callSeconds.observe({ mcp_method_name: 'tools/call', gen_ai_tool_name: tool, error_type }, durationMs / 1000);
    metrics.calls.inc({ tool, outcome, principal: principals(principal) });
  }

  /** Of a call or its job. */
  function countMade({ tool, principal, measures }: Of<'tool_call'> | Of<'job'>): void {
    if (!measures) return;
    const { costUsd, bytes } = uncounted(measures);
    if (costUsd > 0) metrics.cost.inc({ tool, model: models(measures.model), principal: principals(principal) }, costUsd);
    if (bytes > 0) metrics.mediaBytes.inc({ tool }, bytes);
  }

  function countUpstream({
    operation,
    model,
    provider,
    host,
    durationMs,
    inputTokens,
    outputTokens,
    errorType = '',
  }: Of<'upstream'>): void {
    const labels = {
      gen_ai_operation_name: operation,
      gen_ai_provider_name: provider,
      gen_ai_request_model: models(model, errorType === ''),
      server_address: host,
    };
    metrics.upstreamSeconds.observe({ ...labels, error_type: errorType }, durationMs / 1000);
    if (inputTokens !== undefined) metrics.tokens.observe({ ...labels, gen_ai_token_type: 'input' }, inputTokens);
    if (outputTokens !== undefined) metrics.tokens.observe({ ...labels, gen_ai_token_type: 'output' }, outputTokens);
  }

  function countRequest({ method, path, status, durationMs }: Of<'request'>): void {
    const http_request_method = METHODS.has(method) ? method : '_OTHER';
    const http_route = ROUTES.has(path) ? path : 'other';
    metrics.requestSeconds.observe({ http_request_method, http_route, http_response_status_code: status }, durationMs / 1000);
  }

  return (event) => {
    switch (event.type) {
      case 'tool_call':
        countCall(event);
        return countMade(event);
      case 'job':
        metrics.jobs.inc({ tool: event.tool, state: event.state });
        return countMade(event);
      case 'upstream':
        return countUpstream(event);
      case 'request':
        return countRequest(event);
      case 'refusal':
        return metrics.refusals.inc({ kind: event.kind, reason: event.reason });
    }
  };
}

/**
 * The label for a name from outside: the first ones are themselves, all others are "other". A name that is not known to
 * be real takes no place among them.
 */
function createLabel(): (name: string | undefined, isReal?: boolean) => string {
  const known = new Set<string>();
  return (name, isReal = true) => {
    if (name === undefined) return '';
    if (isReal && known.size < MAX_LABEL_VALUES) known.add(name);
    return known.has(name) ? name : 'other';
  };
}
