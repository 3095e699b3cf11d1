const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

/** A name that its object has more than once, and the name in the outermost object under which that is. */
export type RepeatedName = Readonly<{ top: string; name: string; depth: number }>;

/** Finds in valid JSON what its parser passes over: of equal names in one object, it keeps the last. */
export function repeatedNames(json: string): RepeatedName[] {
  const found: RepeatedName[] = [];
  const open: Set<string>[] = [];
  let last = '';
  let top = '';
  for (const [token] of json.matchAll(TOKEN)) {
    if (token === '{' || token === '[') open.push(new Set());
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':') {
      const name: string = JSON.parse(last);
      if (open.length === 1) top = name;
      const names = open.at(-1);
      if (names?.has(name)) found.push({ top, name, depth: open.length });
      names?.add(name);
    }
    last = token;
  }
  return found;
}
