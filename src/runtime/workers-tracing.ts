import { tracing } from 'cloudflare:workers';
import { traceparentOf } from '../events.ts';
import type { Tracing } from '../ports.ts';

/**
 * Traces of the platform, where `[observability.traces]` collects them. It takes no parent from outside, so that is an
 * attribute.
 */
export const workersTracing: Tracing = {
  enterSpan: ({ name, kind, parent, fallbackParent, attributes }, work) =>
    tracing.enterSpan(name, (span) => {
      if (span.isTraced) span.setAttributes({ 'span.kind': kind, traceparent: parent ?? fallbackParent, ...attributes });
      return work({
        setAttributes(ended) {
          if (!span.isTraced) return;
          span.setAttributes(ended);
          if (ended['error.type'] !== undefined) span.setStatus({ code: 'error' });
        },
      });
    }),
  traceparent() {
    const current = tracing.getActiveSpan();
    if (!current?.isTraced) return undefined;
    const { traceId, spanId, traceFlags } = current.spanContext();
    return traceparentOf(`00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`);
  },
};
