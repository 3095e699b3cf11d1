/** What a call costs, or is estimated to cost; `problem`: why that is not known, in words for a client. */
export type Cost = Readonly<{ usd: number /** What makes it less than certain. */; note?: string } | { problem: string }>;

/** What a call will cost at most, before it is sent. `cheaper`: what would make it cost less. */
export type Estimate = Readonly<{ usd: number; model: string; cheaper: string } | { problem: string }>;

/** To a thousandth of a millionth: one cached token of the cheapest model costs ten times that. */
const DECIMALS = 1e9;

/** Without the noise of binary fractions, and never 0 for what is billed. */
export function roundUsd(usd: number): number {
  return usd > 0 ? Math.max(1, Math.round(usd * DECIMALS)) / DECIMALS : 0;
}

/** What several requests cost together; unknown if that of one is. */
export function sumCosts(costs: readonly Cost[]): Cost {
  let usd = 0;
  let note: string | undefined;
  for (const cost of costs) {
    if ('problem' in cost) return cost;
    usd += cost.usd;
    note ??= cost.note;
  }
  return { usd: roundUsd(usd), ...(note !== undefined && { note }) };
}
