import type * as z from 'zod';
import { GatewayError } from '../errors.ts';
import type { SealedStore } from '../jobs/sealed-store.ts';
import type { Clock, Runtime } from '../ports.ts';

/**
 * Returns the value changed, or the same one. `isShort`: it does not allow all that was wanted. Called with the latest value
 * known, and again with a later one when another process was faster, or when what is short was not quite the latest.
 */
export type Change<Value> = (value: Value) => Readonly<{ value: Value; isShort?: boolean }>;

/** A record that many processes change. */
export type SharedRecord<Value> = Readonly<{
  /** Resolves once what the change has last returned is stored. Throws a `storage` failure. */
  change: (apply: Change<Value>) => Promise<void>;
  /** The value as it is stored now. */
  read: () => Promise<Value>;
}>;

export type SharedRecordOptions<Value> = Readonly<{
  sealed: SealedStore;
  /** Where it is; and where it was under previous secrets, which is read until it has been written anew. */
  places: readonly string[];
  schema: z.ZodType<Value>;
  /** What is there before the first change. */
  empty: Value;
  runtime: Clock & Pick<Runtime, 'random'>;
}>;

type Known<Value> = Readonly<{ value: Value; version: string | undefined; readMs: number }>;
type Queued<Value> = Readonly<{ apply: Change<Value>; done: PromiseWithResolvers<void> }>;

const MAX_TRIES = 60;
const FIRST_DELAY_MS = 10;
const MAX_DELAY_MS = 200;
/** An older copy of the value refuses nothing. */
const FRESH_MS = 1_000;

/** Changes a record in the object store by compare-and-swap. What arrives while a write is under way is written together. */
export function createSharedRecord<Value extends object>({
  sealed,
  places,
  schema,
  empty,
  runtime,
}: SharedRecordOptions<Value>): SharedRecord<Value> {
  const { now, sleep, random } = runtime;
  let known: Known<Value> | undefined;
  const queue: Queued<Value>[] = [];
  const [place = ''] = places;
  let isWriting = false;

  async function load(): Promise<Known<Value>> {
    const [found, ...earlier] = await Promise.all(places.map((at) => sealed.read(at)));
    const value = [found, ...earlier].map((record) => schema.safeParse(record?.value).data).find((parsed) => parsed !== undefined);
    return { value: value ?? empty, version: found?.version, readMs: now() };
  }

  async function writeAll(): Promise<void> {
    if (isWriting) return;
    isWriting = true;
    while (queue.length > 0) {
      const batch: Queued<Value>[] = [];
      try {
        await write(batch);
        for (const { done } of batch) done.resolve();
      } catch (error) {
        for (const { done } of batch) done.reject(error);
      }
    }
    isWriting = false;
  }

  /** Writes what is in the queue, and what joins it before the last try, and adds it to the batch. */
  async function write(batch: Queued<Value>[]): Promise<void> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (tries > 1) await sleep(Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** tries) * random());
      batch.push(...queue.splice(0));
      const { value: before, version, readMs } = known ?? (await load());
      known = undefined;
      let value = before;
      let isShort = false;
      for (const { apply } of batch) {
        const changed = apply(value);
        value = changed.value;
        isShort ||= changed.isShort ?? false;
      }
      if (isShort && now() - readMs > FRESH_MS) continue;
      const stored = value === before ? { version } : await store(value, version);
      if (stored === 'changed') continue;
      known = { value, version: stored.version, readMs: value === before ? readMs : now() };
      return;
    }
    throw new GatewayError({ kind: 'storage', problem: 'A record that all processes share is changed too often', retryable: true });
  }

  async function store(value: Value, version: string | undefined): Promise<{ version: string } | 'changed'> {
    const written = version === undefined ? await sealed.create(place, value) : await sealed.replace(place, value, version);
    return typeof written === 'object' ? written : 'changed';
  }

  return {
    change(apply) {
      const done = Promise.withResolvers<void>();
      queue.push({ apply, done });
      void writeAll();
      return done.promise;
    },
    read: async () => (await load()).value,
  };
}
