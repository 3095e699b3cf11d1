import { MAX_REFUSALS_PER_MINUTE } from '../limits.ts';
import type { Runtime } from '../ports.ts';
import type { Refusal } from './authenticate.ts';

const MINUTE_MS = 60_000;

/** Logs refused bearers, but never floods the log: anyone can send them. The first warning of a later minute counts the rest. */
export function refusalLog({ log, now }: Pick<Runtime, 'log' | 'now'>): (requestId: string, reason: Refusal) => void {
  let minuteStartMs = Number.NEGATIVE_INFINITY;
  let logged = 0;
  let omitted = 0;
  return (requestId, reason) => {
    if (Math.abs(now() - minuteStartMs) >= MINUTE_MS) {
      minuteStartMs = now();
      logged = 0;
    }
    if (logged >= MAX_REFUSALS_PER_MINUTE) {
      omitted++;
      return;
    }
    logged++;
    log.warn('bearer_refused', { request_id: requestId, reason, ...(omitted > 0 && { omitted }) });
    omitted = 0;
  };
}
