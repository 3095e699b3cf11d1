import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { installPackages } from '../install.ts';

/** One run of the official conformance suite: a release of it, and which scenarios. */
export type Suite = Readonly<{
  name: string;
  cli: string;
  args: readonly string[];
  /** Whether it calls the tools for tasks. */
  hasTasks?: true;
}>;

export type Check = Readonly<{ id: string; status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'SKIPPED' | 'INFO'; errorMessage?: string }>;

export type ScenarioResult = Readonly<{ scenario: string; checks: readonly Check[] }>;

/** Longer than any run takes; a server that hangs would otherwise hold it for half a minute a scenario. */
const TIMEOUT_MS = 60_000;

/** A folder of its own, because the suites' dependencies would shadow those of the fixtures. */
const installed = new URL('installed/', import.meta.url);
const released = fileURLToPath(new URL('node_modules/@modelcontextprotocol/conformance/dist/index.js', installed));
const upcoming = fileURLToPath(new URL('node_modules/conformance-alpha/dist/index.js', installed));

export const suites: readonly Suite[] = [
  { name: 'conformance 0.1, all scenarios', cli: released, args: ['--suite', 'all'] },
  { name: 'conformance 0.2, requirements of 2025-11-25', cli: upcoming, args: ['--requirements', '2025-11-25'] },
  { name: 'conformance 0.2, requirements of 2026-07-28', cli: upcoming, args: ['--requirements', '2026-07-28'], hasTasks: true },
];

/** Installs the suites, unless they are there. */
export const installSuites = () => installPackages(installed);

/** Runs the scenarios against the MCP endpoint. Throws when one of them left no result. */
export async function runSuite({ name, cli, args }: Suite, url: string): Promise<ScenarioResult[]> {
  const directory = await mkdtemp(join(tmpdir(), 'conformance-'));
  try {
    const command = [cli, 'server', '--url', url, '--output-dir', directory, ...args];
    const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'], timeout: TIMEOUT_MS });
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
    const results = await readResults(directory);
    const announced = /\((\d+) scenarios\)/.exec(output)?.[1];
    if (announced === String(results.length)) return results;
    throw new Error(`${name}: ${results.length} of ${announced} scenarios left a result.\n${output.slice(-2000)}${errors.slice(-2000)}`);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Each scenario leaves a directory `server-{scenario}-{time}`. */
async function readResults(directory: string): Promise<ScenarioResult[]> {
  const results = (await readdir(directory)).sort().map(async (entry): Promise<ScenarioResult[]> => {
    const scenario = /^server-(.+)-\d{4}-\d\d-\d\dT/.exec(entry)?.[1];
    const checks = await readFile(join(directory, entry, 'checks.json'), 'utf8').catch(() => undefined);
    return scenario && checks ? [{ scenario, checks: JSON.parse(checks) }] : [];
  });
  return (await Promise.all(results)).flat();
}
