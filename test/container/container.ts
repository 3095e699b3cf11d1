/**
 * `npm run container`: builds the image with Docker, on Linux, and proves what the README says of it. The container is
 * on the host's network, where Azurite and the stand-in are, with a read-only root, and its environment comes from a
 * file in which every value is quoted. Ends with exit code 0 when every check passed.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { startAzurite } from '../stand-ins/azurite.ts';
import { startOpenAIStandIn } from '../stand-ins/openai/server.ts';

const IMAGE = 'openai-mcp-gateway';
const CONTAINER = `gateway-${process.pid}`;
const KEY = 'container-key';
const MAX_BYTES_ABOVE_BASE = 40e6;
const MAX_START_MS = 1000;
const MAX_RESIDENT_BYTES = 200e6;

/** Each tool, and how many files its call leaves in the storage. */
const CALLS = [
  { files: 0, name: 'list_supported_models', arguments: {} },
  { files: 0, name: 'chat_completion', arguments: { prompt: 'Why is the sky blue?' } },
  { files: 2, name: 'generate_image', arguments: { prompt: 'A lighthouse in a storm', n: 2 } },
  { files: 1, name: 'synthesize_speech', arguments: { input: 'This is the stand-in.' } },
  { files: 2, name: 'generate_video', arguments: { prompt: 'A paper boat on a river', seconds: 4 } },
];

const run = promisify(execFile);
const docker = async (...args: string[]) => (await run('docker', args)).stdout.trim();
const inspect = (kind: 'image' | 'container', name: string, format: string) => docker(kind, 'inspect', '--format', format, name);

let failures = 0;
function check(what: string, passed: boolean, measured = ''): void {
  if (!passed) failures++;
  process.stdout.write(`${passed ? 'ok  ' : 'FAIL'} ${what}${measured && `: ${measured}`}\n`);
}

const directory = await mkdtemp(`${tmpdir()}/gateway-container-`);
const azurite = await startAzurite();
const openai = await startOpenAIStandIn();
try {
  await build();
  await startWithoutConfiguration();
  const port = await freePort();
  const container = await start(port);
  await checkHealth();
  const client = new Client({ name: 'container', version: '1' });
  const requestInit = { headers: { Authorization: `Bearer ${KEY}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`), { requestInit }));
  await callTools(client);
  await checkMemory();
  await stop(container, client);
} finally {
  await docker('rm', '--force', CONTAINER).catch(() => {});
  await Promise.all([azurite.close(), openai.close(), rm(directory, { recursive: true })]);
}
process.exit(failures === 0 ? 0 : 1);

async function build(): Promise<void> {
  const child = spawn('docker', ['build', '--tag', IMAGE, '.'], { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error('The image did not build.');
  const base = /^FROM (\S+)/m.exec(await readFile('Dockerfile', 'utf8'))?.[1] ?? '';
  // The builder need not have left its base among the images.
  await inspect('image', base, '{{.Id}}').catch(() => docker('pull', '--quiet', base));
  const bytes = Number(await inspect('image', IMAGE, '{{.Size}}')) - Number(await inspect('image', base, '{{.Size}}'));
  check(`the image is less than ${megabytes(MAX_BYTES_ABOVE_BASE)} larger than ${base}`, bytes < MAX_BYTES_ABOVE_BASE, megabytes(bytes));
  const content = await docker('run', '--rm', '--entrypoint', 'ls', IMAGE, '-A', '/app', '/app/node_modules');
  check(
    'it has what runs, and nothing else',
    !/\.dev\.vars|test|typescript|vitest|wrangler|^node$/m.test(content),
    content.split(/\s+/).join(' '),
  );
}

async function startWithoutConfiguration(): Promise<void> {
  const { code, stderr } = await run('docker', ['run', '--rm', '--read-only', IMAGE]).catch((error) => error);
  check(
    'a start without configuration ends with exit code 1 and says why',
    code === 1 && stderr.includes('MCP_SERVER_API_KEY is required'),
    stderr.trim(),
  );
}

/** Starts the gateway, with a quoted environment; resolves when it is ready. */
async function start(port: number): Promise<ChildProcess> {
  const environment = {
    PORT: port,
    MCP_SERVER_API_KEY: KEY,
    OPENAI_API_KEY: KEY,
    OPENAI_BASE_URL: `${openai.url}/v1`,
    AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString,
    AZURE_BLOB_CONTAINER: azurite.container,
    AZURE_BLOB_PUBLIC_BASE_URL: azurite.containerUrl,
  };
  const file = `${directory}/env`;
  await writeFile(
    file,
    Object.entries(environment)
      .map(([name, value]) => `${name}="${value}"`)
      .join('\n'),
  );
  const args = ['run', '--name', CONTAINER, '--network', 'host', '--read-only', '--env-file', file, IMAGE];
  const container = spawn('docker', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  await until('the container is ready', async () => (await fetch(`http://127.0.0.1:${port}/ready`)).ok);
  const startMs = Date.now() - Date.parse(JSON.parse(await inspect('container', CONTAINER, '{{json .State.StartedAt}}')));
  check(`it is ready within ${MAX_START_MS} ms`, startMs < MAX_START_MS, `${startMs} ms`);
  return container;
}

async function checkHealth(): Promise<void> {
  const [, ...command] = JSON.parse(await inspect('image', IMAGE, '{{json .Config.Healthcheck.Test}}')) as string[];
  const isHealthy = (...options: string[]) =>
    docker('exec', ...options, CONTAINER, ...command).then(
      () => true,
      () => false,
    );
  check('its health check passes', await isHealthy());
  check('its health check fails where nothing answers', !(await isHealthy('--env', 'PORT=1')));
  check('it does not run as root', (await docker('exec', CONTAINER, 'id', '-un')) === 'node');
}

async function callTools(client: Client): Promise<void> {
  for (const { files, ...call } of CALLS) {
    const result = await client.callTool(call);
    const links = JSON.stringify(result.structuredContent ?? {}).match(/https?:[^"]+/g) ?? [];
    const found = await Promise.all(links.map(async (link) => (await fetch(link)).ok));
    check(call.name, !result.isError && found.filter(Boolean).length === files, `${files} files`);
  }
}

async function checkMemory(): Promise<void> {
  const status = await readFile(`/proc/${await inspect('container', CONTAINER, '{{.State.Pid}}')}/status`, 'utf8');
  const bytes = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) * 1024;
  check(`it holds less than ${megabytes(MAX_RESIDENT_BYTES)}`, bytes < MAX_RESIDENT_BYTES, megabytes(bytes));
}

/** `docker stop` while a call is in flight. */
async function stop(container: ChildProcess, client: Client): Promise<void> {
  const prompt = 'Are you still there?';
  const control = `${openai.url}/_control/${KEY}`;
  await fetch(`${control}/faults`, { method: 'POST', body: JSON.stringify([{ at: 'chat/completions', delayMs: 2000 }]) });
  const answer = client.callTool({ name: 'chat_completion', arguments: { prompt } });
  await until('the call has arrived', async () => (await (await fetch(`${control}/requests`)).text()).includes(prompt));
  const exited = once(container, 'exit');
  const stopped = docker('stop', '-t', '20', CONTAINER);
  check('at SIGTERM the call in flight gets its answer', JSON.stringify((await answer).content).includes(prompt));
  const answeredMs = performance.now();
  const [code] = await exited;
  check('and then the container ends with exit code 0', code === 0, `${Math.round(performance.now() - answeredMs)} ms later`);
  await stopped;
}

/** Tries every few milliseconds, for at most 20 seconds. */
async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + 20_000;
  while (!(await isSo().catch(() => false))) {
    if (Date.now() > endMs) throw new Error(`Waited in vain: ${what}.`);
    await setTimeout(20);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
