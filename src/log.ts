import type { Redact } from './redact.ts';

const LEVELS = { debug: 10, info: 20, warn: 30, error: 40 } as const;
type Level = keyof typeof LEVELS;

/** `log.info('tool_call', {…})`: one event with its fields. Never log arguments, results, keys or URLs with a SAS. */
export type Log = Readonly<Record<Level, (event: string, fields?: Record<string, unknown>) => void>>;

export type LogOptions = Readonly<{
  write: (line: string) => void;
  redact: Redact;
  /** Milliseconds since the epoch. */
  now: () => number;
}>;

/** Writes one JSON object per line, which `docker logs` and Workers Logs both support, with secrets redacted. */
export function createLog(minimum: Level, { write, redact, now }: LogOptions): Log {
  const clean = (_: string, value: unknown) => (typeof value === 'string' ? redact(value) : value);
  const at =
    (level: Level): Log[Level] =>
    (event, fields = {}) => {
      if (LEVELS[level] < LEVELS[minimum]) return;
      const entry = { time: new Date(now()).toISOString(), level, event, ...fields };
      const line = JSON.stringify(entry);
      // One look at the line instead of one at each field; an escaped character may hide something.
      write(!line.includes('\\') && redact(line) === line ? line : JSON.stringify(entry, clean));
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
