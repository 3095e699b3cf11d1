/** Whose something is. */
export type Owner = Readonly<{
  /** Survives key rotation; identifies the owner of sessions, jobs, media and budgets. */
  id: string;
  /** For the log. */
  name: string;
}>;

/** The authenticated caller. Plain data: on Workers, it travels to Durable Objects as JSON. */
export type Principal = Owner & Readonly<{ limits: Limits }>;

/** What a principal may do and spend; what is absent is not limited. */
export type Limits = Readonly<{
  /** The names of the tools it sees and may call. */
  tools?: readonly string[] | undefined;
  /** For paid calls of one day in UTC. */
  budgetUsdPerDay?: number | undefined;
  /** Tool calls in any 60 s. */
  callsPerMinute?: number | undefined;
  /** Tool calls at the same time. */
  concurrentCalls?: number | undefined;
}>;

/** Whether a principal sees a tool and may call it. */
export function mayUse({ limits }: Principal, tool: string): boolean {
  return limits.tools === undefined || limits.tools.includes(tool);
}

/** Resolves a bearer token to its principal; `undefined` if the token is invalid. */
export type VerifyToken = (token: string) => Promise<Principal | 'expired' | undefined>;
