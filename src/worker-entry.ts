import type { Gateway } from './gateway.ts';
import { type AlarmStorage, createJobAlarm } from './jobs/job-alarm.ts';
import type { JobsOptions } from './jobs/jobs.ts';
import { serveForwardedCalls } from './mcp/durable-calls.ts';
import { type SessionNamespace, serveDurableSession } from './mcp/sse-durable-sessions.ts';
import type { Bindings } from './runtime/workers.ts';
import { type AccountStorage, createAccountObject } from './usage/account-object.ts';
import type { OutcomeOf } from './usage/accounts.ts';
import type { AccountNamespace } from './usage/durable-ledger.ts';

export type WorkerEnv = Readonly<
  Record<string, unknown> & { SSE_SESSIONS: SessionNamespace; JOBS: SessionNamespace; ACCOUNTS: AccountNamespace }
> &
  Bindings;
type Handler = (request: Request) => Response | Promise<Response>;

/** The subset of a Durable Object's state used here. */
export type ObjectState = Readonly<{ storage: AlarmStorage; waitUntil: (work: Promise<unknown>) => void }>;

type AccountObjectState = Pick<ObjectState, 'waitUntil'> & Readonly<{ storage: AccountStorage }>;

/** The part of a gateway that lives in a Durable Object. */
export type ObjectGateway = Pick<Gateway, 'openSseSession' | 'streamableHttp' | 'jobs'>;

export type LoadedWorker = Readonly<{
  handle: Handler;
  /** Makes the gateway of one Durable Object; `undefined` if the Worker is misconfigured. */
  assembleObject: ((state: Pick<ObjectState, 'waitUntil'>, onJobsChange?: JobsOptions['onChange']) => ObjectGateway) | undefined;
}>;

/**
 * The exports of a Worker: its `fetch`, and the Durable Object classes. One hosts a legacy stream and its calls, one the
 * calls of one job, and one what a principal has spent and used.
 */
export function createWorkerEntry(load: (env: WorkerEnv) => LoadedWorker) {
  /** An isolate keeps one environment for life, so everything is created on the first request. */
  let loaded: LoadedWorker | undefined;

  function loadOnce(env: WorkerEnv): LoadedWorker {
    loaded ??= load(env);
    return loaded;
  }

  function host(state: ObjectState, env: WorkerEnv, serve: (gateway: ObjectGateway) => Handler) {
    const { assembleObject, handle } = loadOnce(env);
    if (!assembleObject) return { fetch: handle, alarm: async () => {} };
    const { watch, ring } = createJobAlarm(state.storage, Date);
    const gateway = assembleObject(state, watch);
    return { fetch: serve(gateway), alarm: () => ring(async (place) => gateway.jobs?.sweep(place)) };
  }

  class SseSessionObject {
    readonly fetch: Handler;
    readonly alarm: () => Promise<void>;

    constructor(state: ObjectState, env: WorkerEnv) {
      ({ fetch: this.fetch, alarm: this.alarm } = host(state, env, ({ openSseSession }) => serveDurableSession(openSseSession)));
    }
  }

  class JobObject {
    readonly fetch: Handler;
    readonly alarm: () => Promise<void>;

    constructor(state: ObjectState, env: WorkerEnv) {
      ({ fetch: this.fetch, alarm: this.alarm } = host(state, env, ({ streamableHttp }) => serveForwardedCalls(streamableHttp)));
    }
  }

  class AccountObject {
    readonly fetch: Handler;
    readonly alarm: () => Promise<void>;

    constructor(state: AccountObjectState, env: WorkerEnv) {
      const { assembleObject } = loadOnce(env);
      const outcomeOf: OutcomeOf = async (place, id) =>
        (await assembleObject?.(state).jobs?.outcomeOf(place, id)) ?? { state: 'ended', usd: undefined };
      ({ fetch: this.fetch, alarm: this.alarm } = createAccountObject(state.storage, outcomeOf, Date));
    }
  }

  return {
    worker: { fetch: (request: Request, env: WorkerEnv) => loadOnce(env).handle(request) },
    SseSessionObject,
    JobObject,
    AccountObject,
  };
}
