import { setTimeout as sleep } from 'node:timers/promises';
import { ContainerClient } from '@azure/storage-blob';
import type { RunningAzurite } from '../stand-ins/azurite.ts';
import { readSample } from '../stand-ins/openai/speech.ts';
import { FAST } from './clock.ts';
import { CLOCK_PATH, ENVIRONMENT_HEADER, LOG_PATH } from './control.ts';
import { type ArmedFault, type HostileServer, startHostileServer } from './hostile-server.ts';
import { CALLS, type Cell, INPUT, STORING } from './matrix.ts';
import type { FaultName } from './misbehave.ts';
import { createPace } from './pace.ts';
import { type CellResult, findProblems } from './verdict.ts';

/** What is behind the hostile servers. */
export type Backends = Readonly<{ openaiUrl: string; storage: Pick<RunningAzurite, 'connectionString' | 'container'> }>;

/** A call that has no response by then, by the gateway's clock, never gets one: many times what it may take, for machines that are busy. */
const LIMIT_MS = 4 * 3_600_000;
/** For a gateway whose clock cannot be asked any more. */
const TRUE_LIMIT_MS = 3 * 60_000;
/** Nothing is waited for, and what takes its time by itself is not to be taken for slow. */
const AT_ONCE: readonly FaultName[] = ['400', '401', '403', '300 MB'];
const LOOK_EVERY_MS = 100;
const PAID = /^POST \S*\/(chat\/completions|images\/(generations|edits)|audio\/(speech|transcriptions)|videos)$/;

/** One call of one tool of a gateway of its own, while the cell's fault lasts. */
export async function runCell(cell: Cell, gatewayUrl: string, backends: Backends): Promise<CellResult> {
  const clientKey = `canary-client-${crypto.randomUUID()}`;
  const upstreamKey = `canary-upstream-${crypto.randomUUID()}`;
  const folder = crypto.randomUUID();
  const { origin } = new URL(endpointOf(backends.storage.connectionString));
  const pace = createPace(AT_ONCE.includes(cell.fault) ? 1 : FAST, setSpeed);
  const [upstream, storage] = await Promise.all([
    startHostileServer('upstream', backends.openaiUrl, pace, arm(cell, 'upstream')),
    startHostileServer('storage', origin, pace, arm(cell, 'storage')),
  ]);
  const connectionString = backends.storage.connectionString.replaceAll(origin, storage.url);
  const environment = JSON.stringify({
    MCP_SERVER_API_KEY: clientKey,
    OPENAI_API_KEY: upstreamKey,
    OPENAI_BASE_URL: `${upstream.url}/v1`,
    AZURE_STORAGE_CONNECTION_STRING: connectionString,
    AZURE_BLOB_CONTAINER: backends.storage.container,
    AZURE_BLOB_PUBLIC_BASE_URL: `${endpointOf(connectionString)}/${backends.storage.container}`,
    AZURE_BLOB_PATH_PREFIX: folder,
    // Where time takes its true course, a job in progress is an answer.
    MCP_DEFAULT_WAIT_SECONDS: AT_ONCE.includes(cell.fault) ? '45' : '600',
  });

  async function setSpeed(speed: number): Promise<void> {
    await control(CLOCK_PATH, { method: 'PUT', body: JSON.stringify(speed) });
  }

  async function control(path: string, init: RequestInit = {}): Promise<string> {
    const headers = { authorization: `Bearer ${clientKey}`, 'content-type': 'application/json', [ENVIRONMENT_HEADER]: environment };
    return (await fetch(`${gatewayUrl}${path}`, { ...init, headers })).text();
  }

  const now = async () => Number(await control(CLOCK_PATH));
  try {
    await makeVideosQuick(backends.openaiUrl, upstreamKey);
    const args = await withInputs(CALLS[cell.tool], `${storage.url}${new URL(endpointOf(connectionString)).pathname}`, backends.storage);
    const startMs = await now();
    const text = await callTool(cell, args, control, () => hasEnded(startMs, now));
    const elapsedSeconds = Math.round(((await now()) - startMs) / 1000);
    const counts = {
      paidPosts: upstream.requests.filter((line) => PAID.test(line)).length,
      puts: storage.requests.filter((line) => STORING.test(line)).length,
      blobs: await countBlobs(backends.storage, folder),
    };
    const secrets = [clientKey, upstreamKey, ...accountKeyOf(connectionString), ...signaturesIn(storage)];
    return findProblems(cell, { text, log: await control(LOG_PATH), secrets, elapsedSeconds, ...counts });
  } catch (error) {
    return { cell, problems: [`the gateway is gone: ${error}`] };
  } finally {
    upstream.close();
    storage.close();
  }
}

function arm({ target, fault }: Cell, role: string): ArmedFault | undefined {
  if (target.server !== role) return undefined;
  return { fault, matches: (request) => target.matches.test(request), times: target.times };
}

/** The text of the response, or `undefined` when there is none before the limit. */
async function callTool(
  { tool, fault }: Cell,
  args: object,
  send: (path: string, init: RequestInit) => Promise<string>,
  untilLimit: () => Promise<void>,
): Promise<string | undefined> {
  const stop = new AbortController();
  const response = waitFor(args);
  const limit = untilLimit().then(() => undefined);
  const text = await Promise.race([response, limit]);
  stop.abort();
  await Promise.allSettled([response]);
  return text;

  /** Waits on for a job as its result says. */
  async function waitFor(args: object): Promise<string> {
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool, arguments: args } };
    const answer = await send('/mcp', { method: 'POST', body: JSON.stringify(message), signal: stop.signal });
    const [, jobId] = /"status":"in_progress","job_id":"([^"]+)"/.exec(answer) ?? [];
    return jobId && !AT_ONCE.includes(fault) ? waitFor({ job_id: jobId }) : answer;
  }
}

/** Stores the files that a call passes, and puts in their URLs, behind the hostile server. */
async function withInputs(args: object, endpoint: string, { connectionString, container }: Backends['storage']): Promise<object> {
  const files = { [INPUT.image]: readSample('spritesheet.jpg'), [INPUT.audio]: readSample('speech.mp3') };
  let text = JSON.stringify(args);
  for (const [placeholder, bytes] of Object.entries(files)) {
    if (!text.includes(placeholder)) continue;
    const name = `inputs/${crypto.randomUUID()}`;
    await new ContainerClient(connectionString, container).getBlockBlobClient(name).uploadData(bytes);
    text = text.replace(placeholder, `${endpoint}/${container}/${name}`);
  }
  return JSON.parse(text);
}

async function hasEnded(startMs: number, now: () => Promise<number>): Promise<void> {
  const until = Date.now() + TRUE_LIMIT_MS;
  while (Date.now() < until && (await now()) < startMs + LIMIT_MS) await sleep(LOOK_EVERY_MS);
}

async function makeVideosQuick(openaiUrl: string, account: string): Promise<void> {
  const settings = { jobSeconds: 1, speed: 100 };
  await fetch(`${openaiUrl}/_control/${account}/videos`, { method: 'POST', body: JSON.stringify(settings) });
}

function endpointOf(connectionString: string): string {
  return /BlobEndpoint=([^;]+)/.exec(connectionString)?.[1] ?? '';
}

function accountKeyOf(connectionString: string): string[] {
  return /AccountKey=([^;]+)/.exec(connectionString)?.slice(1) ?? [];
}

/** As they were sent, and decoded. */
function signaturesIn({ requests }: HostileServer): string[] {
  const sent = requests.flatMap((line) => /[?&]sig=([^&\s]+)/.exec(line)?.slice(1) ?? []);
  return [...new Set(sent)].flatMap((signature) => [signature, decodeURIComponent(signature)]);
}

async function countBlobs({ connectionString, container }: Backends['storage'], folder: string): Promise<number> {
  const blobs = await Array.fromAsync(new ContainerClient(connectionString, container).listBlobsFlat({ prefix: `${folder}/` }));
  return blobs.filter(({ name }) => !/\/(state|history|usage)\//.test(name)).length;
}
