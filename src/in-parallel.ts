/**
 * Does `work` for 0 to `count` - 1, in this order, and at most `limit` at once. After a failure it begins nothing more, and
 * throws the first one once all that has begun has ended. `lane` tells apart those at the same time.
 */
export async function inParallel(count: number, limit: number, work: (index: number, lane: number) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  let next = 0;
  async function runLane(lane: number): Promise<void> {
    while (next < count && failures.length === 0) await work(next++, lane).catch((error: unknown) => failures.push(error));
  }
  await Promise.all(Array.from({ length: limit }, (_, lane) => runLane(lane)));
  if (failures.length > 0) throw failures[0];
}
