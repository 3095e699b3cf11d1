import type { ServerContext } from '@modelcontextprotocol/server';
import { every } from '../every.ts';
import type { Clock } from '../ports.ts';

/** A fast call is answered before this, and with nothing but its result. */
const FIRST_MS = 800;
/** Clients give up on a call of which they hear nothing; most after a minute, some after less. */
const INTERVAL_MS = 4_000;

export type ProgressOptions = Readonly<{
  /** What the tool does, for messages of its own accord: "generating image". */
  activity: string;
  clock: Clock;
}>;

export type Progress = Readonly<{
  /** Whether the client wants to know. */
  isWanted: boolean;
  /** Tells how far the work is. */
  report: (message: string) => void;
  /** To be called when the work has ended. */
  end: () => void;
}>;

/**
 * Tells the client how far the work is, when its request carries a progress token (specification 2025-11-25,
 * basic/utilities/progress): whatever the tool reports, and the time that has passed when it reports nothing for a
 * while. The value only counts the messages, as it has to rise; the message says what matters.
 */
export function startProgress({ _meta, notify }: ServerContext['mcpReq'], { activity, clock }: ProgressOptions): Progress {
  const progressToken = _meta?.progressToken;
  if (progressToken === undefined) return { isWanted: false, report: () => {}, end: () => {} };
  const startMs = clock.now();
  const ended = new AbortController();
  let progress = 0;
  let lastMs = startMs - INTERVAL_MS + FIRST_MS;

  function report(message: string): void {
    if (ended.signal.aborted) return;
    progress++;
    lastMs = clock.now();
    // A client that has gone cannot be told; the work ends through its signal.
    notify({ method: 'notifications/progress', params: { progressToken, progress, message } }).catch(() => {});
  }

  const say = () => report(`${activity}, ${Math.round((clock.now() - startMs) / 1000)} s`);
  void every(clock, { ms: INTERVAL_MS, sinceMs: () => lastMs, signal: ended.signal }, say);
  return { isWanted: true, report, end: () => ended.abort() };
}
