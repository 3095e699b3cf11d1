import { createUncounted, type Sink } from '../events.ts';
import { MAX_NAME_CHARACTERS } from '../limits.ts';

/** The subset of a binding to Analytics Engine used here. */
export type AnalyticsBinding = Readonly<{
  writeDataPoint: (point: { indexes: string[]; blobs: string[]; doubles: number[] }) => void;
}>;

/** The platform's limit is 96 bytes. */
const MAX_INDEX_CHARACTERS = 24;

/** One data point for each tool call and each job that has ended; docs/operations.md describes the columns. */
export function createAnalytics(binding: AnalyticsBinding): Sink {
  const uncounted = createUncounted();
  return (event) => {
    if (event.type !== 'tool_call' && event.type !== 'job') return;
    const { type, principal, tool, durationMs, requestId = '', measures = {} } = event;
    const outcome = event.type === 'job' ? event.state : event.outcome;
    const { model = '', input_tokens = 0, output_tokens = 0 } = measures;
    const { costUsd, bytes } = uncounted(measures);
    binding.writeDataPoint({
      indexes: [principal.slice(0, MAX_INDEX_CHARACTERS)],
      blobs: [type, tool, outcome, principal.slice(0, MAX_NAME_CHARACTERS), model, requestId],
      doubles: [durationMs, costUsd, input_tokens, output_tokens, bytes],
    });
  };
}
