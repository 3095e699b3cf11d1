import { endOfString } from './nesting.ts';

/** A name that its object has more than once; `depth`: of that object; `top`: the name in the outermost one around it. */
type RepeatedName = Readonly<{ name: string; depth: number; top: string }>;

/** Finds in valid JSON what its parser passes over: of equal names in one object, it keeps the last. */
export function repeatedNames(json: string): RepeatedName[] {
  const found: RepeatedName[] = [];
  const open: Set<string>[] = [];
  let string = '';
  let top = '';
  for (let at = 0; at < json.length; at++) {
    const character = json.charAt(at);
    if (character === '"') {
      const end = endOfString(json, at);
      string = json.slice(at, end + 1);
      at = end;
    } else if (character === '{' || character === '[') open.push(new Set());
    else if (character === '}' || character === ']') open.pop();
    else if (character === ':') {
      const name: string = JSON.parse(string);
      if (open.length === 1) top = name;
      if (open.at(-1)?.has(name)) found.push({ name, depth: open.length, top });
      open.at(-1)?.add(name);
    }
  }
  return found;
}
