import { tracing } from 'cloudflare:workers';
import { traceparentOf } from '../events.ts';
import type { Tracing } from '../ports.ts';

/**
 * Traces of the platform, where `[observability.traces]` collects them. It takes no parent from outside, so that is an
 * attribute.
 */
export const workersTracing: Tracing = {
  isTraced,
  enterSpan: ({ name, kind, parent, fallbackParent, attributes }, work) =>
    tracing.enterSpan(name, (span) => {
      span.setAttributes({ 'span.kind': kind, traceparent: parent ?? fallbackParent, ...attributes });
      return work({
        setAttributes(ended) {
          span.setAttributes(ended);
          if (ended['error.type'] !== undefined) span.setStatus({ code: 'error' });
        },
      });
    }),
  traceparent() {
    const current = isTraced() ? tracing.getActiveSpan()?.spanContext() : undefined;
    return current && traceparentOf(`00-${current.traceId}-${current.spanId}-${current.traceFlags.toString(16).padStart(2, '0')}`);
  },
};

/** A tenth of what it takes to enter a span that nobody collects. */
function isTraced(): boolean {
  return tracing.getActiveSpan()?.isTraced === true;
}
