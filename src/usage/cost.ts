/** What a call costs, or is estimated to cost; `problem`: why that is not known, in words for a client. */
export type Cost = Readonly<{ usd: number } | { problem: string }>;
