/**
 * `npm run bench:videos` (or `-- workerd`): how much the resident memory of the gateway grows while it stores a large video, and how long that
 * takes compared with a plain download of the same video. Linux only (/proc). Ends with exit code 1 beyond the limits.
 */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { residentMb } from '../load/gateways.ts';
import { startAzurite } from '../stand-ins/azurite.ts';
import { startOpenAIStandIn } from '../stand-ins/openai/server.ts';

const MB = 1_000_000;
const SIZES_MB = [200, 800];
const SAMPLE_MS = 10;
const KEY = 'bench-key';
/** Growth in MB that a video of the first size may cause; that of others is only shown. */
const LIMITS_MB: Readonly<Record<string, number>> = { Node: 100, workerd: 32 };
const starters: Readonly<Record<string, (env: Record<string, string>) => Promise<RunningGateway>>> = {
  Node: startNodeGateway,
  workerd: startWorkerdGateway,
};

const [azurite, openai] = await Promise.all([startAzurite(), startOpenAIStandIn()]);
const rows: Record<string, string | number>[] = [];
let exitCode = 0;
const asked = process.argv.slice(2);
for (const runtime of asked.length > 0 ? asked : Object.keys(starters)) {
  for (const contentLength of [true, false]) {
    for (const sizeMb of SIZES_MB) rows.push(await measure(runtime, sizeMb, contentLength));
  }
}
console.table(rows);
await Promise.all([azurite.close(), openai.close()]);
process.exit(exitCode);

async function measure(runtime: string, sizeMb: number, contentLength: boolean): Promise<Record<string, string | number>> {
  const account = `bench-${crypto.randomUUID()}`;
  await setVideos(account, { jobSeconds: 0.01, contentLength });
  const gateway = await (starters[runtime] as typeof startNodeGateway)(environment(account));
  const client = new Client({ name: 'bench', version: '1' });
  const init = { requestInit: { headers: { Authorization: `Bearer ${KEY}` } } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`), init));
  // A first, small video has everything loaded and warm, so that only the size is measured.
  await store(client);
  await setVideos(account, { contentBytes: sizeMb * MB });
  const { videoId } = await begin(client);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const directMs = await time(() => download(account, videoId));
  const beforeMb = residentMb(gateway.pid) ?? 0;
  let peakMb = beforeMb;
  const sampler = setInterval(() => {
    peakMb = Math.max(peakMb, residentMb(gateway.pid) ?? 0);
  }, SAMPLE_MS);
  const storedMs = await time(() => goOn(client, videoId, sizeMb * MB));
  clearInterval(sampler);
  await client.close();
  await gateway.close();
  const growthMb = peakMb - beforeMb;
  const limitMb = LIMITS_MB[runtime] ?? 0;
  if (sizeMb === SIZES_MB[0] && growthMb > limitMb) exitCode = 1;
  const length = contentLength ? 'known' : 'unknown';
  return {
    runtime,
    'video (MB)': sizeMb,
    length,
    'growth (MB)': growthMb,
    'limit (MB)': limitMb,
    'time / plain download': (storedMs / directMs).toFixed(1),
  };
}

function environment(account: string): Record<string, string> {
  return {
    MCP_SERVER_API_KEY: KEY,
    OPENAI_API_KEY: account,
    OPENAI_BASE_URL: `${openai.url}/v1`,
    AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString,
    AZURE_BLOB_CONTAINER: azurite.container,
    AZURE_BLOB_PUBLIC_BASE_URL: azurite.containerUrl,
  };
}

async function setVideos(account: string, settings: object): Promise<void> {
  await fetch(`${openai.url}/_control/${account}/videos`, { method: 'POST', body: JSON.stringify(settings) });
}

async function begin(client: Client): Promise<{ videoId: string }> {
  const result = await client.callTool({ name: 'generate_video', arguments: { prompt: 'bench', wait_seconds: 0 } });
  return { videoId: (result.structuredContent as { video_id: string }).video_id };
}

async function goOn(client: Client, videoId: string, expectedBytes?: number): Promise<void> {
  const result = await client.callTool({ name: 'generate_video', arguments: { video_id: videoId } }, { timeout: 600_000 });
  const { video } = (result.structuredContent ?? {}) as { video?: { bytes: number } };
  if (!video || (expectedBytes && video.bytes !== expectedBytes)) throw new Error(`Not stored: ${JSON.stringify(result.content)}`);
}

async function store(client: Client): Promise<void> {
  const { videoId } = await begin(client);
  await goOn(client, videoId);
}

async function download(account: string, videoId: string): Promise<void> {
  const response = await fetch(`${openai.url}/v1/videos/${videoId}/content`, { headers: { authorization: `Bearer ${account}` } });
  if (!response.ok) throw new Error(`The download was answered with ${response.status}.`);
  for await (const _ of response.body ?? []);
}

async function time(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
