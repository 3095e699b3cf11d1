/** Who makes a call. */
export type Principal = Readonly<{
  /** Stays the same when the key changes; owns sessions. */
  id: string;
  /** For the log. */
  name: string;
}>;

/** The principal that a bearer token belongs to; `undefined` when it is refused. */
export type VerifyToken = (token: string) => Promise<Principal | undefined>;
