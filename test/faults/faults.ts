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
import { type Backends, runCell } from './run-cell.ts';
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

const all = await Promise.all(only.map(async (runtime) => ({ runtime, results: await runAll(runtime, backends) })));
for (const { runtime, results } of all) console.log(`\n=== ${runtime}\n${describeResults(results)}`);
const problems = all.flatMap(({ runtime, results }) => describeProblems(results).map((problem) => `${runtime}; ${problem}`));
for (const problem of problems) console.log(problem);
const failed = all.flatMap(({ results }) => results).filter((result) => result.problems.length > 0).length;
console.log(`\n${cells.length * only.length - failed} cells passed, ${failed} failed`);
await Promise.all([azurite.close(), openai.close()]);
process.exit(failed === 0 ? 0 : 1);

async function runAll(runtime: string, backends: Backends): Promise<CellResult[]> {
  const start = RUNTIMES[runtime];
  if (!start) throw new Error(`--only takes ${Object.keys(RUNTIMES).join(' or ')}.`);
  const gateway = await start();
  // The large ones one by one, so that they do not wait for each other's bytes.
  const isLarge = ({ fault }: Cell) => fault === '300 MB';
  const small = await runSome(
    cells.filter((cell) => !isLarge(cell)),
    CONCURRENCY,
    (cell) => runCell(cell, gateway.url, backends),
  );
  const large = await runSome(cells.filter(isLarge), 1, (cell) => runCell(cell, gateway.url, backends));
  await gateway.close();
  return [...small, ...large];
}

/** Runs some at once; resolves with the results in the order of the cells. */
async function runSome(cells: readonly Cell[], concurrency: number, run: (cell: Cell) => Promise<CellResult>): Promise<CellResult[]> {
  const results: CellResult[] = [];
  let next = 0;
  const work = async () => {
    for (let index = next++; index < cells.length; index = next++) results[index] = await run(cells[index] as Cell);
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return results;
}
