export const DAY_MS = 86_400_000;

/** The day in UTC, `yyyy-mm-dd`. */
export function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

export function startOfDay(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS;
}
