import { MAX_ARGUMENT_VALUES, MAX_ARRAY_ITEMS, MAX_NAME_CHARACTERS, MAX_OBJECT_NAMES } from '../limits.ts';

/**
 * Returns the first size limit that the arguments exceed. Runs before schema validation, which would report every
 * single element. Nesting is limited when the request body is read.
 */
export function findOversize(args: unknown): string | undefined {
  const pending: { value: unknown; path: string }[] = [{ value: args, path: '' }];
  let values = 0;
  for (let entry = pending.pop(); entry; entry = pending.pop()) {
    const { value, path } = entry;
    if (++values > MAX_ARGUMENT_VALUES) return `arguments: more than ${MAX_ARGUMENT_VALUES} values`;
    if (typeof value !== 'object' || value === null) continue;
    // Listing the names of a long array would allocate a string for each item.
    const [count, max, what] = Array.isArray(value)
      ? ([value.length, MAX_ARRAY_ITEMS, 'items'] as const)
      : ([Object.keys(value).length, MAX_OBJECT_NAMES, 'names'] as const);
    if (count > max) return `${path || 'arguments'}: has ${count} ${what}; at most ${max} are allowed`;
    for (const [name, child] of Object.entries(value)) pending.push({ value: child, path: pathOf(path, name) });
  }
  return undefined;
}

function pathOf(parent: string, name: string): string {
  return `${parent}${parent ? '.' : ''}${name}`.slice(0, MAX_NAME_CHARACTERS);
}
