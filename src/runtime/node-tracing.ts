import type { Span as OtelSpan } from '@opentelemetry/api';
import type { Span, Tracing } from '../ports.ts';

/** `flush` resolves when the SDK has exported what it holds, if it can. */
type NodeTracing = Tracing & Readonly<{ flush: () => Promise<void> }>;

/** Where the API of OpenTelemetry keeps what an SDK has registered, for all of its copies. */
const REGISTRY = Symbol.for('opentelemetry.js.api.1');

/**
 * Traces through the SDK of OpenTelemetry that the operator has loaded before (`node --import`); without one, nothing is
 * loaded, and calls cost nothing.
 */
export async function loadTracing(name: string, version: string): Promise<NodeTracing | undefined> {
  const registry = Reflect.get(globalThis, REGISTRY) as Readonly<{ trace?: unknown }> | undefined;
  if (registry?.trace === undefined) return undefined;
  const { context, isSpanContextValid, ProxyTracerProvider, SpanKind, SpanStatusCode, trace } = await import('@opentelemetry/api');
  const tracer = trace.getTracer(name, version);
  const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT };

  function contextOf(parent: string | undefined) {
    const active = context.active();
    if (parent === undefined) return active;
    const [, traceId = '', spanId = '', flags = ''] = parent.split('-');
    return trace.setSpanContext(active, { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true });
  }

  const recorded = (span: OtelSpan): Span => ({
    setAttributes(attributes) {
      span.setAttributes(attributes);
      if (attributes['error.type'] !== undefined) span.setStatus({ code: SpanStatusCode.ERROR });
    },
  });

  return {
    isTraced: () => true,
    enterSpan({ name, kind, parent, fallbackParent, attributes }, work) {
      const within = contextOf(parent ?? (trace.getActiveSpan() ? undefined : fallbackParent));
      return tracer.startActiveSpan(name, { kind: kinds[kind], attributes }, within, async (span) => {
        try {
          return await work(recorded(span));
        } finally {
          span.end();
        }
      });
    },
    traceparent() {
      const current = trace.getActiveSpan()?.spanContext();
      if (!current || !isSpanContextValid(current)) return undefined;
      return `00-${current.traceId}-${current.spanId}-${current.traceFlags.toString(16).padStart(2, '0')}`;
    },
    async flush() {
      const proxy = trace.getTracerProvider();
      const provider: object = proxy instanceof ProxyTracerProvider ? proxy.getDelegate() : proxy;
      if ('forceFlush' in provider && typeof provider.forceFlush === 'function') await provider.forceFlush();
    },
  };
}
