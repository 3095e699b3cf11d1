import type { Bill } from './bills.ts';
import { DEFAULT_VIDEO_SETTINGS, type VideoSettings } from './videos.ts';

/** One failure that the stand-in was told to answer with, once for each time it is queued. */
export type Fault = Readonly<{
  /** Only requests whose method, path and query contain this; without it, the next request of any kind. */
  at?: string;
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
  /** Sends the events of a streamed answer one by one, with this wait between them. */
  eventDelayMs?: number;
  /** Sends half of the true answer, and then nothing more. */
  stall?: boolean;
  /** Keeps the true answer, all of it or its second half, until the account is told to release what it holds. */
  hold?: 'all' | 'half';
}>;

export type RecordedRequest = Readonly<{
  method: string;
  path: string;
  query: string;
  headers: Readonly<Record<string, string>>;
  body: unknown;
  /** The client has gone before it had the whole answer; milliseconds since the epoch. */
  brokenOffAtMs?: number;
}>;

type Account = { faults: Fault[]; requests: RecordedRequest[]; bills: Bill[]; videos: VideoSettings; held: PromiseWithResolvers<void> };

/** What belongs to one API key: so that tests which run side by side, each with a key of its own, do not disturb each other. */
export type Accounts = Readonly<{
  record(key: string, request: RecordedRequest): void;
  requests(key: string): readonly RecordedRequest[];
  bill(key: string, bill: Bill): void;
  bills(key: string): readonly Bill[];
  queueFaults(key: string, faults: readonly Fault[]): void;
  nextFault(key: string, request: string): Fault | undefined;
  /** Resolves with the next release. */
  released(key: string): Promise<void>;
  release(key: string): void;
  videos(key: string): VideoSettings;
  setVideos(key: string, settings: Partial<VideoSettings>): void;
}>;

export function createAccounts(): Accounts {
  const accounts = new Map<string, Account>();
  const of = (key: string): Account => {
    const account = accounts.get(key) ?? {
      faults: [],
      requests: [],
      bills: [],
      videos: DEFAULT_VIDEO_SETTINGS,
      held: Promise.withResolvers<void>(),
    };
    accounts.set(key, account);
    return account;
  };
  return {
    record: (key, request) => void of(key).requests.push(request),
    requests: (key) => of(key).requests,
    bill: (key, bill) => void of(key).bills.push(bill),
    bills: (key) => of(key).bills,
    queueFaults: (key, faults) => void of(key).faults.push(...faults),
    nextFault(key, request) {
      const { faults } = of(key);
      const index = faults.findIndex(({ at = '' }) => request.includes(at));
      return index < 0 ? undefined : faults.splice(index, 1)[0];
    },
    released: (key) => of(key).held.promise,
    release(key) {
      of(key).held.resolve();
      of(key).held = Promise.withResolvers();
    },
    videos: (key) => of(key).videos,
    setVideos: (key, settings) => void Object.assign(of(key), { videos: { ...of(key).videos, ...settings } }),
  };
}
