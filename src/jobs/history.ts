import type { Clock } from '../ports.ts';
import { DAY_MS, dateOf, startOfDay } from '../utc-day.ts';
import type { DayIndex, IndexEntry, IndexFile } from './day-index.ts';

/** A stored file, and the call that made it. */
export type MadeMedia = Readonly<{ entry: IndexEntry; file: IndexFile; number: number }>;

type HistoryQuery = Readonly<{
  /** Calls that began in this time; milliseconds since the epoch, both inclusive. By default, the last `HISTORY_DAYS`. At most `HISTORY_DAYS_AT_ONCE` are searched. */
  fromMs?: number | undefined;
  toMs?: number | undefined;
  matches?: (media: MadeMedia) => boolean;
  limit: number;
}>;

/** The media of a principal, as the jobs' index has it. */
export type History = Readonly<{
  /** Newest first. `nextMs`: where to go on, if there may be more. */
  list: (principalId: string, query: HistoryQuery) => Promise<{ media: readonly MadeMedia[]; nextMs?: number }>;
  find: (principalId: string, id: MediaId) => Promise<MadeMedia | undefined>;
}>;

/** Identifies a file: the day of its call in UTC (`yyyy-mm-dd`), the id of the call, and its number there, from 0. */
export type MediaId = Readonly<{ day: string; call: string; number: number }>;

/** How far back to look unless a query says so. */
export const HISTORY_DAYS = 31;
/** Each costs a request for each secret, of which a call on Workers may make 50 in all. */
export const HISTORY_DAYS_AT_ONCE = 14;

export function createHistory(index: Pick<DayIndex, 'read'>, { now }: Pick<Clock, 'now'>): History {
  async function list(principalId: string, { toMs = now(), matches = () => true, limit, ...query }: HistoryQuery) {
    const { fromMs = now() - HISTORY_DAYS * DAY_MS } = query;
    const media: MadeMedia[] = [];
    const seen = new Set<string>();
    const lastMs = Math.min(toMs, now());
    const firstMs = Math.max(fromMs, startOfDay(lastMs) - (HISTORY_DAYS_AT_ONCE - 1) * DAY_MS);
    for (let dayMs = startOfDay(lastMs); dayMs + DAY_MS > firstMs; dayMs -= DAY_MS) {
      const entries = await index.read(principalId, dayMs);
      const inRange = entries.filter(({ started_ms }) => started_ms >= firstMs && started_ms <= lastMs);
      for (const entry of inRange.toSorted((a, b) => b.started_ms - a.started_ms)) {
        // Calls of the same millisecond stay together, so that a later page can begin before them.
        const previousMs = media.at(-1)?.entry.started_ms;
        if (media.length >= limit && entry.started_ms !== previousMs) return { media, nextMs: entry.started_ms };
        // A video that two calls have waited for is listed once.
        const fresh = mediaOf(entry).filter((made) => matches(made) && !seen.has(made.file.url));
        for (const { file } of fresh) seen.add(file.url);
        media.push(...fresh);
      }
    }
    return firstMs > fromMs ? { media, nextMs: firstMs - 1 } : { media };
  }

  return {
    list,
    async find(principalId, { day, call, number }) {
      const dayMs = Date.parse(day);
      const entries = Number.isNaN(dayMs) ? [] : await index.read(principalId, dayMs);
      return entries.filter(({ id }) => id === call).flatMap(mediaOf)[number];
    },
  };
}

export function idOf({ entry, number }: MadeMedia): MediaId {
  return { day: dateOf(entry.started_ms), call: entry.id, number };
}

function mediaOf(entry: IndexEntry): MadeMedia[] {
  return (entry.files ?? []).map((file, number) => ({ entry, file, number }));
}
