import { MAX_NAME_CHARACTERS } from './limits.ts';

/** The known name that a misspelled one most likely means; written otherwise (`topP`) it is still the same. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  if (name.length > MAX_NAME_CHARACTERS) return undefined;
  const plain = withoutStyle(name);
  let nearest: string | undefined;
  // Up to a third of the characters may differ.
  let best = Math.floor(plain.length / 3) + 1;
  for (const candidate of known) {
    const distance = distanceUpTo(best, plain, withoutStyle(candidate));
    if (distance >= best) continue;
    best = distance;
    nearest = candidate;
  }
  return nearest;
}

function withoutStyle(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, '');
}

/** Levenshtein distance; any distance of at least `limit` is returned as `limit` or more. */
function distanceUpTo(limit: number, a: string, b: string): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (previous[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? limit;
}
