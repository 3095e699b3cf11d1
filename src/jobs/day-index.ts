import * as z from 'zod';
import { MAX_INDEX_PAGES } from '../limits.ts';
import type { Clock, Runtime } from '../ports.ts';
import { dateOf } from '../utc-day.ts';
import type { SealedStore } from './sealed-store.ts';

/** A stored file. Its URL is without a signature, which would expire. */
const indexFile = z.object({
  url: z.string(),
  content_type: z.string(),
  bytes: z.number(),
  width: z.number().optional(),
  height: z.number().optional(),
});
export type IndexFile = z.output<typeof indexFile>;

const indexEntry = z.object({
  id: z.string(),
  /** Of the HTTP request that started the job. */
  request_id: z.string().optional(),
  tool: z.string(),
  state: z.string(),
  started_ms: z.number(),
  ended_ms: z.number(),
  model: z.string().optional(),
  cost_usd: z.number().optional(),
  prompt: z.string().optional(),
  files: z.array(indexFile).optional(),
});
export type IndexEntry = z.output<typeof indexEntry>;

const indexPage = z.object({ entries: z.array(indexEntry) });

/**
 * What a principal has made, by the day in UTC on which it was begun, so that nothing ever lists the container. A day is
 * a series of pages, so that adding to a long one stays cheap.
 */
export type DayIndex = Readonly<{
  /** Adds what has ended. Never throws: an index that lacks an entry costs nobody anything. */
  append: (principalId: string, entry: IndexEntry) => Promise<void>;
  /** The entries of a day, in the order in which they were added. */
  read: (principalId: string, dayMs: number) => Promise<readonly IndexEntry[]>;
  /** The entries that are being added. */
  inFlight: () => number;
}>;

type IndexRuntime = Pick<Clock, 'sleep'> & Pick<Runtime, 'random'> & Readonly<{ log: Pick<Runtime['log'], 'warn'> }>;

const MAX_PAGE_ENTRIES = 500;
const MAX_TRIES = 24;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5_000;

type Day = Readonly<{ principalId: string; date: string }>;

export function createDayIndex(sealed: SealedStore, { sleep, random, log }: IndexRuntime): DayIndex {
  /** What arrives while a write is under way is written together. */
  const pending = new Map<string, IndexEntry[]>();
  const writing = new Map<string, Promise<void>>();
  /** Where the last write of a day went. */
  const lastPages = new Map<string, number>();

  const placesOf = ({ principalId, date }: Day, page: number) =>
    sealed.placesOf('index', principalId, date, ...(page > 0 ? [String(page)] : []));

  async function append(principalId: string, entry: IndexEntry): Promise<void> {
    const day = { principalId, date: dateOf(entry.started_ms) };
    const key = JSON.stringify(day);
    pending.set(key, [...(pending.get(key) ?? []), entry]);
    const current = writing.get(key) ?? writeAll(day, key).finally(() => writing.delete(key));
    writing.set(key, current);
    await current;
  }

  async function writeAll(day: Day, key: string): Promise<void> {
    for (let entries = take(key); entries.length > 0; entries = take(key)) {
      const isWritten = await write(day, key, entries).catch(() => false);
      if (!isWritten) log.warn('job_index_failed', { jobs: entries.map(({ id }) => id) });
    }
  }

  function take(key: string): IndexEntry[] {
    const entries = pending.get(key) ?? [];
    pending.delete(key);
    return entries;
  }

  async function write(day: Day, key: string, entries: readonly IndexEntry[]): Promise<boolean> {
    let page = lastPages.get(key) ?? 0;
    for (let tries = 0; tries < MAX_TRIES; ) {
      if (tries > 0) await sleep(Math.min(FIRST_DELAY_MS * 2 ** tries, MAX_DELAY_MS) * random());
      const [place = ''] = await placesOf(day, page);
      const found = await sealed.read(place);
      const present = entriesOf(found?.value);
      if (present.length >= MAX_PAGE_ENTRIES) {
        if (++page >= MAX_INDEX_PAGES) return false;
        continue;
      }
      const next = { entries: [...present, ...entries] };
      const written = found ? await sealed.replace(place, next, found.version) : await sealed.create(place, next);
      if (typeof written === 'object') {
        if (page > 0) remember(key, page);
        return true;
      }
      tries++;
    }
    return false;
  }

  function remember(key: string, page: number): void {
    if (lastPages.size >= MAX_REMEMBERED_DAYS) lastPages.clear();
    lastPages.set(key, page);
  }

  async function read(principalId: string, dayMs: number): Promise<readonly IndexEntry[]> {
    const entries: IndexEntry[] = [];
    for (let page = 0; page < MAX_INDEX_PAGES; page++) {
      const places = await placesOf({ principalId, date: dateOf(dayMs) }, page);
      const found = (await Promise.all(places.map((place) => sealed.read(place)))).flatMap((record) => entriesOf(record?.value));
      entries.push(...found);
      if (found.length < MAX_PAGE_ENTRIES) break;
    }
    return entries;
  }

  return { append, read, inFlight: () => writing.size };
}

const MAX_REMEMBERED_DAYS = 1_000;

function entriesOf(value: unknown): IndexEntry[] {
  return indexPage.safeParse(value).data?.entries ?? [];
}
