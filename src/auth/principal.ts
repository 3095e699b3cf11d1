/** The authenticated caller. */
export type Principal = Readonly<{
  /** Survives key rotation; identifies the owner of a session. */
  id: string;
  /** For the log. */
  name: string;
}>;

/** Resolves a bearer token to its principal; `undefined` if the token is invalid. */
export type VerifyToken = (token: string) => Promise<Principal | undefined>;
