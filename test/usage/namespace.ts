import type { JobOutcome } from '../../src/jobs/jobs.ts';
import { type AccountObject, type AccountStorage, createAccountObject } from '../../src/usage/account-object.ts';
import type { AccountNamespace } from '../../src/usage/durable-ledger.ts';
import { createSleepClock } from '../support.ts';

/** What the records of jobs say. */
export type Outcomes = Map<string, JobOutcome>;

export const RUNNING: JobOutcome = { state: 'running', untilMs: Date.now() + 3_600_000 };

/** Objects as the platform keeps them: one for each name, woken by its alarm. */
export function createNamespace(outcomes: Outcomes): AccountNamespace {
  const objects = new Map<unknown, AccountObject>();
  function createObject(): AccountObject {
    const clock = createSleepClock();
    const object: AccountObject = createAccountObject(
      createStorage((ms) => void clock.sleep(ms - clock.now()).then(() => object.alarm())),
      async (_, id) => outcomes.get(id) ?? RUNNING,
      clock,
    );
    return object;
  }
  return {
    idFromName: (name) => name,
    get(name) {
      const object = objects.get(name) ?? createObject();
      objects.set(name, object);
      return { fetch: async (input, init) => object.fetch(new Request(input, init)) };
    },
  };
}

/** What the platform keeps of an object. */
export function createStorage(onAlarm: (ms: number) => void): AccountStorage {
  const values = new Map<string, unknown>();
  let alarmMs: number | null = null;
  return {
    get: async (key) => structuredClone(values.get(key)),
    put: async (key, value) => void values.set(key, structuredClone(value)),
    list: async ({ prefix }) => new Map([...values].filter(([key]) => key.startsWith(prefix))),
    delete: async (key) => values.delete(key),
    getAlarm: async () => alarmMs,
    async setAlarm(ms) {
      alarmMs = ms;
      onAlarm(ms);
    },
  };
}
