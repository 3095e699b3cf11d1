/** One failure that the stand-in was told to answer with, once for each time it is queued. */
export type Fault = Readonly<{
  /** Answers with this status, in OpenAI's error shape or with `body`. */
  status?: number;
  code?: string;
  message?: string;
  /** A raw body instead of the error shape. */
  body?: string;
  headers?: Readonly<Record<string, string>>;
  /** Waits before it answers. */
  delayMs?: number;
  /** Sends half of the true answer, then breaks the connection. */
  cut?: boolean;
  /** Sends half of the true answer, and then nothing more. */
  stall?: boolean;
}>;

export type RecordedRequest = Readonly<{
  method: string;
  path: string;
  query: string;
  headers: Readonly<Record<string, string>>;
  body: unknown;
}>;

type Account = { faults: Fault[]; requests: RecordedRequest[] };

/** What belongs to one API key: so that tests which run side by side, each with a key of its own, do not disturb each other. */
export type Accounts = Readonly<{
  record(key: string, request: RecordedRequest): void;
  requests(key: string): readonly RecordedRequest[];
  queueFaults(key: string, faults: readonly Fault[]): void;
  nextFault(key: string): Fault | undefined;
}>;

export function createAccounts(): Accounts {
  const accounts = new Map<string, Account>();
  const of = (key: string): Account => {
    const account = accounts.get(key) ?? { faults: [], requests: [] };
    accounts.set(key, account);
    return account;
  };
  return {
    record: (key, request) => void of(key).requests.push(request),
    requests: (key) => of(key).requests,
    queueFaults: (key, faults) => void of(key).faults.push(...faults),
    nextFault: (key) => of(key).faults.shift(),
  };
}
