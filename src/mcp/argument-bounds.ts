import { MAX_ARGUMENT_VALUES, MAX_ARRAY_ITEMS, MAX_NAME_CHARACTERS, MAX_OBJECT_NAMES } from '../limits.ts';

/**
 * What is too large in the arguments of a call; looked at before the schemas are, as those report on every single
 * element. Nesting is bounded when the request is read.
 */
export function findOversize(args: unknown): string | undefined {
  const waiting: { value: unknown; path: string }[] = [{ value: args, path: '' }];
  let values = 0;
  for (let item = waiting.pop(); item; item = waiting.pop()) {
    const { value, path } = item;
    if (++values > MAX_ARGUMENT_VALUES) return `arguments: have more than ${MAX_ARGUMENT_VALUES} values`;
    if (typeof value !== 'object' || value === null) continue;
    // The names of a long array would be as many strings.
    const [count, max, what] = Array.isArray(value)
      ? ([value.length, MAX_ARRAY_ITEMS, 'items'] as const)
      : ([Object.keys(value).length, MAX_OBJECT_NAMES, 'names'] as const);
    if (count > max) return `${path || 'arguments'}: has ${count} ${what}; at most ${max} are allowed`;
    for (const [name, child] of Object.entries(value)) waiting.push({ value: child, path: pathOf(path, name) });
  }
  return undefined;
}

function pathOf(parent: string, name: string): string {
  return `${parent}${parent ? '.' : ''}${name}`.slice(0, MAX_NAME_CHARACTERS);
}
