import * as z from 'zod';
import { inParallel } from '../in-parallel.ts';
import type { SealedStore } from '../jobs/sealed-store.ts';
import type { Clock, Runtime } from '../ports.ts';
import { addRow, type UsageRow, usageRow, withRows } from './rows.ts';
import { createSharedRecord, type SharedRecord } from './shared-record.ts';

/** What was used, by the day in UTC (`yyyy-mm-dd`). */
export type UsageBook = Readonly<{
  /** Never throws; it is written within seconds. */
  add: (date: string, row: UsageRow) => void;
  /** These days, in their order; of one principal only, or of all. */
  read: (dates: readonly string[], principalId?: string) => Promise<readonly UsageDay[]>;
  /** What is being written. */
  inFlight: () => number;
  /** Writes what is not written yet. */
  close: () => Promise<void>;
}>;

export type UsageDay = Readonly<{ date: string; rows: readonly UsageRow[] }>;

const MAX_DAYS_IN_MEMORY = 31;
const WRITE_AFTER_MS = 5_000;
const READS_AT_ONCE = 8;

/** For a process without a store, whose end is the end of what it knows. */
export function createMemoryBook(): UsageBook {
  const days = new Map<string, Map<string, UsageRow>>();
  return {
    add(date, row) {
      addTo(days, date, row);
      for (const known of days.keys()) if (days.size > MAX_DAYS_IN_MEMORY) days.delete(known);
    },
    read: async (dates, principalId) => dates.map((date) => ({ date, rows: rowsOf([...(days.get(date)?.values() ?? [])], principalId) })),
    inFlight: () => 0,
    close: async () => {},
  };
}

/** Adds a row to those of its day. */
export function addTo(days: Map<string, Map<string, UsageRow>>, date: string, row: UsageRow): void {
  const rows = days.get(date) ?? new Map<string, UsageRow>();
  days.set(date, rows);
  addRow(rows, row);
}

/** Those of one principal, or all. */
export function rowsOf(rows: readonly UsageRow[], principalId: string | undefined): readonly UsageRow[] {
  return principalId === undefined ? rows : rows.filter(({ principal }) => principal === principalId);
}

const dayRecord = z.object({ rows: z.array(usageRow) });
type DayRecord = { readonly rows: readonly UsageRow[] };

type BookRuntime = Clock & Pick<Runtime, 'random' | 'waitUntil'> & Readonly<{ log: Pick<Runtime['log'], 'warn'> }>;

/** One record a day in the object store, which all processes add to; each collects for some seconds what it adds. */
export function createStoredBook(sealed: SealedStore, runtime: BookRuntime): UsageBook {
  const pending = new Map<string, Map<string, UsageRow>>();
  const days = new Map<string, SharedRecord<DayRecord>>();
  let writing = 0;
  let written = Promise.resolve();
  let isWaiting = false;

  async function recordOf(date: string): Promise<SharedRecord<DayRecord>> {
    const places = await sealed.placesOf('usage', date);
    const known = days.get(date);
    if (known) return known;
    // What is under previous secrets stays there: processes that have not got the new one still add to it.
    const record = createSharedRecord<DayRecord>({ sealed, places: places.slice(0, 1), schema: dayRecord, empty: { rows: [] }, runtime });
    days.set(date, record);
    for (const day of days.keys()) if (days.size > MAX_DAYS_IN_MEMORY) days.delete(day);
    return record;
  }

  async function writeAll(): Promise<void> {
    writing++;
    const all = [...pending];
    pending.clear();
    for (const [date, rows] of all) {
      try {
        await (await recordOf(date)).change((day) => ({ value: { rows: withRows(day.rows, [...rows.values()]) } }));
      } catch (error) {
        runtime.log.warn('usage_not_written', { error: String(error) });
        for (const row of rows.values()) addTo(pending, date, row);
      }
    }
    writing--;
  }

  /** Resolves once all that was added before is written, or has failed to be. */
  function flush(): Promise<void> {
    written = written.then(writeAll);
    return written;
  }

  async function writeSoon(): Promise<void> {
    if (isWaiting) return;
    isWaiting = true;
    await runtime.sleep(WRITE_AFTER_MS);
    isWaiting = false;
    await flush();
    if (pending.size > 0) void writeSoon();
  }

  async function readDay(date: string): Promise<readonly UsageRow[]> {
    const places = await sealed.placesOf('usage', date);
    const found = await Promise.all(places.map((place) => sealed.read(place)));
    const rows = found.flatMap((record) => dayRecord.safeParse(record?.value).data?.rows ?? []);
    return withRows([], [...rows, ...(pending.get(date)?.values() ?? [])]);
  }

  return {
    add(date, row) {
      addTo(pending, date, row);
      void writeSoon();
    },
    async read(dates, principalId) {
      const days: UsageDay[] = [];
      // What is being written is neither pending nor found.
      await flush();
      await inParallel(dates.length, READS_AT_ONCE, async (index) => {
        const date = dates[index] ?? '';
        days[index] = { date, rows: rowsOf(await readDay(date), principalId) };
      });
      return days;
    },
    inFlight: () => writing,
    close: flush,
  };
}
