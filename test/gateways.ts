import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';
import { unstable_readConfig as readConfig } from 'wrangler';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The Durable Objects of a binding. */
type ObjectNamespace = Readonly<{ idFromName: (name: string) => unknown; get: (id: unknown) => { fetch: typeof fetch } }>;

export type RunningGateway = {
  url: string;
  pid: number;
  /** Its log, of a process of ours. */
  log?: Readable | null;
  /** On Workers. */
  objects?: (binding: string) => Promise<ObjectNamespace>;
  close: () => Promise<void>;
};

/** One that is a process of ours. */
export type RunningNodeGateway = RunningGateway & {
  /** Asks it to end, and resolves with its exit code. */
  terminate: () => Promise<number | null>;
};

/** Starts the Node server as `npm start` does, on a free port, with exactly these variables. */
export async function startNodeGateway(
  env: Record<string, string>,
  cwd?: string,
  entry?: string,
  flags?: readonly string[],
): Promise<RunningNodeGateway> {
  const child = spawnNodeGateway({ PORT: '0', HOST: '127.0.0.1', ...env }, cwd, entry, flags);
  // However this process ends, its child does not outlive it.
  process.once('exit', () => child.kill('SIGKILL'));
  const exited = once(child, 'exit');
  const port = await listeningPort(child);
  if (port === undefined) throw new Error('The gateway did not start.');
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    log: child.stdout,
    close: async () => {
      child.kill('SIGKILL');
      await exited;
    },
    terminate: async () => {
      child.kill('SIGTERM');
      const [code] = await exited;
      return code;
    },
  };
}

/** Fails if something else listens on this port, before anything slow is started. */
export async function assertPortIsFree(port: number): Promise<void> {
  const server = createServer();
  await once(server.listen(port, '127.0.0.1'), 'listening').catch(() => {
    throw new Error(`port ${port} is in use; set PORT to another port.`);
  });
  server.close();
}

/** The Node server as a process; media goes into a temporary folder where no store is configured. In a directory without `.dev.vars`, unless another is given. */
export function spawnNodeGateway(
  env: Record<string, string>,
  cwd = `${root}test`,
  entry = 'src/node.ts',
  flags: readonly string[] = [],
): ChildProcess {
  const withFolder = { MEDIA_DIR: join(tmpdir(), 'media-files-of-tests'), ...env };
  return spawn(process.execPath, [...flags, `${root}${entry}`], { cwd, env: withFolder, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The port in the log's first event, or `undefined` when the process ends without it. */
function listeningPort(child: ChildProcess): Promise<number | undefined> {
  return new Promise((resolve) => {
    let output = '';
    child.stdout?.on('data', (chunk) => {
      if (output.length < 10_000) output += chunk;
      const port = /"event":"listening".*"port":(\d+)/.exec(output)?.[1];
      if (port) resolve(Number(port));
    });
    child.stderr?.pipe(process.stderr);
    child.once('exit', () => resolve(undefined));
  });
}

export type WorkerdOptions = {
  /** A directory in which Durable Objects are kept; by default, they end with the process. */
  persistTo?: string;
  /** A binding of wrangler.toml that is missing. */
  without?: string;
  /** With the binding of Cloudflare Images, which wrangler.toml leaves to the operator. */
  withImages?: boolean;
  /** With the binding of Analytics Engine, likewise. */
  withAnalytics?: boolean;
  onLog?: (line: string) => void;
  /** Logs each event of a trace, too, as a line of JSON. */
  traces?: boolean;
  /** Of a Worker that is not the gateway, and has no bindings. */
  config?: string;
};

/** Logs what happens in the spans of another Worker. */
const TAIL_WORKER = `
const log = (event) => console.log(JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? Number(value) : value)));
export default { tailStream: (onset) => { log(onset); return log; } };`;

/** Builds the Worker as `npm run build` does, and serves what was built in workerd, on a free port. */
export async function startWorkerdGateway(
  env: Record<string, string>,
  entry = 'src/worker.ts',
  { persistTo, without, withImages, withAnalytics, onLog, traces, config }: WorkerdOptions = {},
): Promise<RunningGateway> {
  const outdir = await buildOnce(entry, config === undefined ? [] : ['--config', `${root}${config}`]);
  const { compatibility_date, compatibility_flags, durable_objects } = readConfig({ config: `${root}wrangler.toml` });
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...(persistTo && { resourcePersistencePath: persistTo }),
      ...(onLog && { handleStructuredLogs: ({ message }: { message: string }) => onLog(message) }),
      workers: [
        {
          name: 'gateway',
          // Its usual front proxy would hide from the Worker that a client has gone.
          unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
          rootPath: outdir,
          modules: true,
          scriptPath: `${basename(entry, '.ts')}.js`,
          compatibilityDate: compatibility_date ?? '',
          compatibilityFlags: compatibility_flags,
          durableObjects: Object.fromEntries(
            durable_objects.bindings
              .filter(({ name }: { name: string }) => !config && name !== without)
              .map(({ name, class_name }: { name: string; class_name: string }) => [name, { className: class_name, useSQLite: true }]),
          ),
          r2Buckets: { MEDIA: 'media' },
          ...(withImages && { images: { binding: 'IMAGES' } }),
          ...(withAnalytics && { analyticsEngineDatasets: { ANALYTICS: { dataset: 'calls' } } }),
          ...(traces && { streamingTails: ['tail'] }),
          bindings: { LOG_LEVEL: 'error', ...env },
        },
        ...(traces ? [{ name: 'tail', modules: true, script: TAIL_WORKER, compatibilityDate: compatibility_date ?? '' }] : []),
      ],
    }),
  );
  const url = await miniflare.unsafeGetDirectURL();
  return {
    url: url.origin,
    pid: workerdAt(Number(url.port)),
    objects: async (binding) => (await miniflare.getDurableObjectNamespace(binding, 'gateway')) as unknown as ObjectNamespace,
    close: () => miniflare.dispose(),
  };
}

/** The workerd process that listens on a port, whichever others there are; 0 where there is no /proc. */
function workerdAt(port: number): number {
  if (!existsSync('/proc/net/tcp')) return 0;
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const listening = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find(([, local, , state]) => local === address && state === '0A');
  const socket = `socket:[${listening?.[9]}]`;
  return (
    readdirSync('/proc')
      .map(Number)
      .find((pid) => pid > 0 && isChild(pid, 'workerd') && opens(pid, socket)) ?? 0
  );
}

function isChild(pid: number, name: string): boolean {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : '';
  return stat.startsWith(`${pid} (${name}) `) && stat.split(' ')[3] === String(process.pid);
}

function opens(pid: number, file: string): boolean {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).some((name) => {
    try {
      return readlinkSync(`${folder}/${name}`) === file;
    } catch {
      // Closed meanwhile.
      return false;
    }
  });
}

/** The directory of what was built. In a run of tests, all of whose files are threads of one process, it is built once. */
async function buildOnce(entry: string, options: readonly string[]): Promise<string> {
  const { WORKER_BUILDS } = process.env;
  const outdir = `${WORKER_BUILDS ?? `${root}node_modules/.cache/e2e-worker`}/${entry}`;
  await navigator.locks.request(outdir, async () => {
    if (!WORKER_BUILDS || !existsSync(`${outdir}/${basename(entry, '.ts')}.js`)) await buildWorker(entry, outdir, options);
  });
  return outdir;
}

/** As `npm run build` does, with more options of wrangler's. */
export async function buildWorker(entry: string, outdir: string, options: readonly string[]): Promise<void> {
  const wrangler = `${root}node_modules/wrangler/bin/wrangler.js`;
  const quiet = { CI: '1', WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' };
  const args = [wrangler, 'deploy', entry, '--dry-run', '--outdir', outdir, ...options];
  const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, ...quiet }, stdio: 'ignore' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error('The Worker did not build; see npm run build.');
}
