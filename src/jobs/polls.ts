import type { Clock } from '../ports.ts';

/** The clients that ask about a job now and then: they wait for it although no call of theirs is open. */
export type Polls = Readonly<{
  note: (jobId: string) => void;
  /** Whether a client has asked lately. */
  isPolled: (jobId: string) => boolean;
  forget: (jobId: string) => void;
}>;

/** Several of the intervals that clients are told to keep. */
const GONE_MS = 30_000;

export function createPolls({ now }: Pick<Clock, 'now'>): Polls {
  const lastMs = new Map<string, number>();
  const isRecent = (ms: number) => now() - ms < GONE_MS;

  return {
    note(jobId) {
      for (const [id, ms] of lastMs) if (!isRecent(ms)) lastMs.delete(id);
      lastMs.set(jobId, now());
    },
    isPolled: (jobId) => isRecent(lastMs.get(jobId) ?? Number.NEGATIVE_INFINITY),
    forget: (jobId) => void lastMs.delete(jobId),
  };
}
