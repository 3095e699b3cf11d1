import type { ServerContext } from '@modelcontextprotocol/server';
import { every } from '../every.ts';
import { type Clock, DONE } from '../ports.ts';

/** Calls that finish sooner return their result without any progress notification. */
const FIRST_MS = 800;
/** Clients time out silent calls, most after a minute, some sooner. */
const INTERVAL_MS = 4_000;

/** Between messages of the same percentage. */
const LEAST_STEP = 0.001;

export type ProgressOptions = Readonly<{
  /** What the tool is doing, for automatic messages: "generating image". */
  activity: string;
  clock: Clock;
}>;

export type Progress = Readonly<{
  /** Whether the client requested progress. */
  isWanted: boolean;
  /** Sends a progress message; `percent` is how much of the work is done, where that is known. */
  report: (message: string, percent?: number) => void;
  /** Call when the work has ended. */
  end: () => void;
}>;

/**
 * Sends progress notifications when the request carries a progress token (specification 2025-11-25,
 * basic/utilities/progress): the tool's own reports, or the elapsed time when the tool has been quiet. `progress` must
 * increase with every message: it counts them, or follows the percentage once there is one, with a `total` of 100.
 */
export function startProgress({ _meta, notify }: ServerContext['mcpReq'], { activity, clock }: ProgressOptions): Progress {
  const progressToken = _meta?.progressToken;
  if (progressToken === undefined) return { isWanted: false, report: () => {}, end: () => {} };
  const startMs = clock.now();
  const ended = new AbortController();
  let progress = 0;
  let total: number | undefined;
  let lastMs = startMs - INTERVAL_MS + FIRST_MS;

  function report(message: string, percent?: number): void {
    if (ended.signal.aborted) return;
    if (percent !== undefined) total = 100;
    progress = total === undefined ? progress + 1 : Math.max(percent ?? 0, progress + LEAST_STEP);
    lastMs = clock.now();
    // A disconnected client cannot be notified; the call's signal stops the work.
    notify({ method: 'notifications/progress', params: { progressToken, progress, ...(total && { total }), message } }).catch(() => {});
  }

  const reportElapsed = () => report(`${activity}, ${Math.round((clock.now() - startMs) / 1000)} s`);
  void every(clock, { ms: INTERVAL_MS, sinceMs: () => lastMs, signal: ended.signal }, reportElapsed);
  return { isWanted: true, report, end: () => ended.abort(DONE) };
}
