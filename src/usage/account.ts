import * as z from 'zod';

const hold = z.object({
  usd: z.number(),
  /** For a job: where its record is, and from when on the record may say that the job has ended without settling. */
  job: z.object({ place: z.string(), checkMs: z.number() }).optional(),
});
export type Hold = Readonly<z.output<typeof hold>>;

/** One budget on one day: what was spent from it, and what is set aside for calls in flight. Amounts are US dollars. */
export const accountSchema = z.object({ spentUsd: z.number(), holds: z.record(z.string(), hold) });
export type Account = Readonly<z.output<typeof accountSchema>>;

export const EMPTY_ACCOUNT: Account = { spentUsd: 0, holds: {} };

/** Amounts are sums of many small ones, which floating point does not keep exactly. */
const PRECISION_USD = 1e-9;

export function reservedUsd({ holds }: Account): number {
  return Object.values(holds).reduce((sum, { usd }) => sum + usd, 0);
}

export function leftUsd(account: Account, limitUsd: number): number {
  return Math.max(0, limitUsd - account.spentUsd - reservedUsd(account));
}

/** The account with this set aside; `undefined` if too little is left. */
export function withHold(account: Account, limitUsd: number, id: string, hold: Hold): Account | undefined {
  if (hold.usd > leftUsd(account, limitUsd) + PRECISION_USD) return undefined;
  return { ...account, holds: { ...account.holds, [id]: hold } };
}

/** The account with what was set aside replaced by what was spent. Settling again changes nothing. */
export function settled(account: Account, id: string, usd: number): Account {
  const { [id]: hold, ...holds } = account.holds;
  return hold ? { spentUsd: account.spentUsd + usd, holds } : account;
}

export type HeldJob = Readonly<{ id: string; usd: number; place: string; checkMs: number }>;

/** The jobs that something is set aside for. */
export function jobsOf({ holds }: Account): HeldJob[] {
  return Object.entries(holds).flatMap(([id, { usd, job }]) => (job ? [{ id, usd, ...job }] : []));
}

/** The account with the next look at the record of a job put off. */
export function withCheck(account: Account, id: string, checkMs: number): Account {
  const hold = account.holds[id];
  return hold?.job ? { ...account, holds: { ...account.holds, [id]: { ...hold, job: { ...hold.job, checkMs } } } } : account;
}
