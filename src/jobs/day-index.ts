import * as z from 'zod';
import { MAX_INDEX_ENTRIES } from '../limits.ts';
import type { Clock, Runtime } from '../ports.ts';
import type { SealedStore } from './sealed-store.ts';

const indexEntry = z.object({ id: z.string(), tool: z.string(), state: z.string(), started_ms: z.number(), ended_ms: z.number() });
type IndexEntry = z.output<typeof indexEntry>;

const indexRecord = z.object({ entries: z.array(indexEntry) });

/** The jobs of a principal by the day on which they started, in UTC, so that nothing ever lists the container. */
export type DayIndex = Readonly<{
  /** Adds a job that has ended. Never throws: an index that lacks an entry harms nobody. */
  append: (principalId: string, entry: IndexEntry) => Promise<void>;
  read: (principalId: string, dayMs: number) => Promise<readonly IndexEntry[]>;
}>;

type IndexRuntime = Pick<Clock, 'sleep'> & Pick<Runtime, 'random'> & Readonly<{ log: Pick<Runtime['log'], 'warn'> }>;

const MAX_TRIES = 12;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5_000;

export function createDayIndex(sealed: SealedStore, { sleep, random, log }: IndexRuntime): DayIndex {
  /** What arrives while a write is under way is written together. */
  const pending = new Map<string, IndexEntry[]>();
  const writing = new Map<string, Promise<void>>();

  const placesOf = (principalId: string, dayMs: number) =>
    sealed.placesOf('index', principalId, new Date(dayMs).toISOString().slice(0, 10));

  async function append(principalId: string, entry: IndexEntry): Promise<void> {
    const [place = ''] = await placesOf(principalId, entry.started_ms);
    pending.set(place, [...(pending.get(place) ?? []), entry]);
    const current = writing.get(place) ?? writeAll(place).finally(() => writing.delete(place));
    writing.set(place, current);
    await current;
  }

  async function writeAll(place: string): Promise<void> {
    for (let entries = take(place); entries.length > 0; entries = take(place)) {
      const isWritten = await write(place, entries).catch(() => false);
      if (!isWritten) log.warn('job_index_failed', { jobs: entries.map(({ id }) => id) });
    }
  }

  function take(place: string): IndexEntry[] {
    const entries = pending.get(place) ?? [];
    pending.delete(place);
    return entries;
  }

  async function write(place: string, entries: readonly IndexEntry[]): Promise<boolean> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      if (tries > 0) await sleep(Math.min(FIRST_DELAY_MS * 2 ** tries, MAX_DELAY_MS) * random());
      const found = await sealed.read(place);
      const present = indexRecord.safeParse(found?.value).data?.entries ?? [];
      const next = { entries: [...present, ...entries].slice(-MAX_INDEX_ENTRIES) };
      const written = found ? await sealed.replace(place, next, found.version) : await sealed.create(place, next);
      if (typeof written === 'object') return true;
    }
    return false;
  }

  async function read(principalId: string, dayMs: number): Promise<readonly IndexEntry[]> {
    const records = await Promise.all((await placesOf(principalId, dayMs)).map((place) => sealed.read(place)));
    return records.flatMap((found) => indexRecord.safeParse(found?.value).data?.entries ?? []);
  }

  return { append, read };
}
