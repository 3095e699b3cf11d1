/**
 * `npm run faults`: each tool of a gateway whose upstream or storage goes wrong in each way of the matrix, on Node and
 * in workerd; `--only node` or `--only workerd` for one of them, `--cells TEXT` for those whose name contains it.
 * Prints for each cell the result, how many paid POSTs the upstream received, how many blobs there are afterwards, and
 * how long it took by the gateway's clock.
 */
import { parseArgs } from 'node:util';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { startAzurite } from '../stand-ins/azurite.ts';
import { startOpenAIStandIn } from '../stand-ins/openai/server.ts';
import { CELLS, type Cell, nameOf } from './matrix.ts';
import { describeProblems, describeResults } from './report.ts';
import { runCell } from './run-cell.ts';
import type { CellResult } from './verdict.ts';

const RUNTIMES: Readonly<Record<string, () => Promise<RunningGateway>>> = {
  node: () => startNodeGateway({}, undefined, 'test/faults/node.ts'),
  workerd: () => startWorkerdGateway({}, 'test/faults/worker.ts'),
};
/** Of one runtime at a time; cells mostly wait. */
const CONCURRENCY = 4;

const options = { only: { type: 'string', multiple: true }, cells: { type: 'string', default: '' } } as const;
const { only = Object.keys(RUNTIMES), cells: wanted } = parseArgs({ options }).values;
const cells = CELLS.filter((cell) => nameOf(cell).includes(wanted));
const [azurite, openai] = await Promise.all([startAzurite(), startOpenAIStandIn()]);
const backends = { openaiUrl: openai.url, storage: azurite };

const runs = await Promise.all(
  only.map(async (runtime) => ({ runtime, gateway: await start(runtime), results: new Map<Cell, CellResult>() })),
);
// The large ones one by one and when nothing else runs, so that nobody waits for their bytes.
const [large = [], small = []] = [true, false].map((isLarge) => cells.filter(({ fault }) => (fault === '300 MB') === isLarge));
await Promise.all(runs.map((run) => runSome(run, small, CONCURRENCY)));
for (const run of runs) await runSome(run, large, 1);

const all = runs.map(({ runtime, results }) => ({ runtime, results: cells.flatMap((cell) => results.get(cell) ?? []) }));
for (const { runtime, results } of all) console.log(`\n=== ${runtime}\n${describeResults(results)}`);
const problems = all.flatMap(({ runtime, results }) => describeProblems(results).map((problem) => `${runtime}; ${problem}`));
for (const problem of problems) console.log(problem);
const failed = all.flatMap(({ results }) => results).filter((result) => result.problems.length > 0).length;
console.log(`\n${cells.length * only.length - failed} cells passed, ${failed} failed`);
await Promise.all([azurite.close(), openai.close(), ...runs.map(({ gateway }) => gateway.close())]);
process.exit(failed === 0 ? 0 : 1);

function start(runtime: string): Promise<RunningGateway> {
  const start = RUNTIMES[runtime];
  if (!start) throw new Error(`--only takes ${Object.keys(RUNTIMES).join(' or ')}.`);
  return start();
}

/** Runs these cells, as many at once as it says. */
async function runSome({ gateway, results }: (typeof runs)[number], cells: readonly Cell[], concurrency: number): Promise<void> {
  const queue = cells.values();
  const work = async () => {
    for (const cell of queue) results.set(cell, await runCell(cell, gateway.url, backends));
  };
  await Promise.all(Array.from({ length: concurrency }, work));
}
