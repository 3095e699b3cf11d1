import { readFileSync } from 'node:fs';
import { type RunningGateway, type RunningNodeGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';

export const KEY = 'key-of-the-load-tests';
const MB = 1_000_000;

const dockerfile = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8');

/** The Node server as the container starts it. */
export function startNodeInContainer(env: Record<string, string>): Promise<RunningNodeGateway> {
  const [, options = ''] = /NODE_OPTIONS="(.+)"/.exec(dockerfile) ?? [];
  const [, command = '[]'] = /^CMD (.+)$/m.exec(dockerfile) ?? [];
  const flags = (JSON.parse(command) as string[]).filter((part) => part.startsWith('--'));
  return startNodeGateway({ ...env, NODE_OPTIONS: options }, undefined, undefined, flags);
}

export type RuntimeName = 'node' | 'workerd';

/** The runtimes that the command line names, or these. */
export function askedRuntimes(fallback: readonly RuntimeName[]): readonly RuntimeName[] {
  const asked = (['node', 'workerd'] as const).filter((name) => process.argv.includes(name));
  return asked.length > 0 ? asked : fallback;
}

/** `--name N` on the command line. */
export function numberOption(name: string, fallback: number): number {
  const index = process.argv.indexOf(`--${name}`);
  return index < 0 ? fallback : Number(process.argv[index + 1]);
}

/** The gateway in front of this upstream; on Node with the container's flags. */
export function startGateway(runtime: RuntimeName, env: Record<string, string>): Promise<RunningGateway> {
  const all = { MCP_SERVER_API_KEY: KEY, OPENAI_API_KEY: 'key-of-the-upstream', ...env };
  return runtime === 'workerd' ? startWorkerdGateway(all, undefined, { onLog: () => {} }) : startNodeInContainer(all);
}

/** The resident set of a process (proc(5), status: VmRSS), in MB; `undefined` once it has ended. */
export function residentMb(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kb = Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]);
    return Number.isNaN(kb) ? undefined : Math.round((kb * 1024) / MB);
  } catch {
    return undefined;
  }
}
