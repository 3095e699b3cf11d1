/** The bytes to send, from `start` to before `end`. */
export type ByteRange = Readonly<{ start: number; end: number }>;

/** The first position, the last one, or both; the last one alone is a count of bytes at the end. */
const SINGLE = /^bytes=(?:(\d{1,15})-(\d{0,15})|-(\d{1,15}))$/i;

/**
 * The range that a header asks for (RFC 9110 section 14.2). `undefined`: everything, as several ranges and what is no range
 * may be ignored; `unsatisfiable`: nothing of it exists.
 */
export function byteRange(header: string, bytes: number): ByteRange | 'unsatisfiable' | undefined {
  const [whole, first, last, suffix] = SINGLE.exec(header.replace(/ /g, '')) ?? [];
  if (whole === undefined) return undefined;
  if (suffix !== undefined)
    return Number(suffix) > 0 && bytes > 0 ? { start: Math.max(0, bytes - Number(suffix)), end: bytes } : 'unsatisfiable';
  if (last && Number(last) < Number(first)) return undefined;
  const start = Number(first);
  return start < bytes ? { start, end: last ? Math.min(Number(last) + 1, bytes) : bytes } : 'unsatisfiable';
}
