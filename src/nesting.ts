/** Whether arrays and objects are nested more than `maxDepth` levels deep. */
export function isNestedDeeper(value: unknown, maxDepth: number): boolean {
  const pending: { value: unknown; depth: number }[] = [{ value, depth: 1 }];
  for (let item = pending.pop(); item; item = pending.pop()) {
    if (typeof item.value !== 'object' || item.value === null) continue;
    if (item.depth > maxDepth) return true;
    for (const child of Object.values(item.value)) pending.push({ value: child, depth: item.depth + 1 });
  }
  return false;
}

/**
 * Whether arrays and objects stand more than `maxDepth` deep inside each other in this JSON text. It reads the text
 * once and builds nothing, so it can go before the parser.
 */
export function isTextNestedDeeper(text: string, maxDepth: number): boolean {
  return forEachBracket(text, (_, depth) => depth > maxDepth);
}

/** The text of a JSON value in which each array or object inside it is `0`. */
export function outline(text: string): string {
  let result = '';
  let start = 0;
  let before = 0;
  forEachBracket(text, (at, nesting) => {
    if (before === 1 && nesting === 2) result += `${text.slice(start, at)}0`;
    if (before === 2 && nesting === 1) start = at + 1;
    before = nesting;
    return false;
  });
  return result + text.slice(start);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Tells of each bracket outside strings, and of the nesting after it, until `visit` returns true. Whether it has. */
function forEachBracket(text: string, visit: (at: number, nesting: number) => boolean): boolean {
  let nesting = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === 0x5b || code === 0x7b) nesting++;
    else if (code === 0x5d || code === 0x7d) nesting--;
    else continue;
    if (code !== QUOTE && visit(at, nesting)) return true;
  }
  return false;
}

/** Where the closing quote is, or the end of a text that has none. */
export function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) return at;
  }
  return text.length;
}
