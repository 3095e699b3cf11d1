/** Whether arrays and objects stand in each other more than `maxDepth` levels deep. */
export function isNestedDeeper(value: unknown, maxDepth: number): boolean {
  const waiting: { value: unknown; depth: number }[] = [{ value, depth: 1 }];
  for (let item = waiting.pop(); item; item = waiting.pop()) {
    if (typeof item.value !== 'object' || item.value === null) continue;
    if (item.depth > maxDepth) return true;
    for (const child of Object.values(item.value)) waiting.push({ value: child, depth: item.depth + 1 });
  }
  return false;
}
