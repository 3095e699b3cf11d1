/**
 * `npm run bench:images`: ten calls at once for ten images of 4 MB each on Node with the container's flags, and one such
 * call in workerd: how each ends, and how far the resident memory rises. Linux only (/proc). Ends with exit code 1 when
 * a paid image is lost, or beyond the limits.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startWorkerdGateway } from '../gateways.ts';
import { residentMb, startNodeInContainer } from '../load/gateways.ts';
import { startAzurite } from '../stand-ins/azurite.ts';
import { makeNoise } from './noise.ts';

const KEY = 'client-key-of-the-bench';
const IMAGES = 10;
const SAMPLE_MS = 20;
const MAX_PEAK_MB = 500;
const MAX_GROWTH_MB = 100;

const image = (await makeNoise()).toString('base64');
let paid = 0;

const upstream = createServer((request, response) => {
  request.resume().once('end', async () => {
    paid++;
    response.setHeader('content-type', 'application/json');
    response.write('{"created":1,"data":[');
    for (let index = 0; index < IMAGES; index++) {
      if (!response.write(`${index ? ',' : ''}{"b64_json":"${image}"}`)) await once(response, 'drain');
    }
    response.end(']}');
  });
});
upstream.listen(0, '127.0.0.1');
await once(upstream, 'listening');
const azurite = await startAzurite();
const env = {
  MCP_SERVER_API_KEY: KEY,
  OPENAI_BASE_URL: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`,
  AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString,
  AZURE_BLOB_CONTAINER: azurite.container,
  AZURE_BLOB_PUBLIC_BASE_URL: azurite.containerUrl,
};
const results = [await measure('Node', await startNodeInContainer(env), 10), await measure('workerd', await startWorkerdGateway(env), 1)];
console.table(results);
await azurite.close();
const [onNode, onWorkerd] = results;
const isFine =
  results.every(({ lost }) => lost === 0) &&
  onNode &&
  onNode['peak (MB)'] < MAX_PEAK_MB &&
  onWorkerd &&
  onWorkerd['growth (MB)'] < MAX_GROWTH_MB;
process.exit(isFine ? 0 : 1);

async function measure(runtime: string, gateway: { url: string; pid: number; close: () => Promise<void> }, calls: number) {
  await callTool(gateway.url, 'list_supported_models', {});
  const idleMb = residentMb(gateway.pid) ?? Number.NaN;
  let peakMb = idleMb;
  const sampler = setInterval(() => {
    peakMb = Math.max(peakMb, residentMb(gateway.pid) ?? 0);
  }, SAMPLE_MS);
  paid = 0;
  const startMs = performance.now();
  const texts = await Promise.all(
    Array.from({ length: calls }, () => callTool(gateway.url, 'generate_image', { prompt: `bench on ${runtime}`, n: IMAGES })),
  );
  clearInterval(sampler);
  await gateway.close();
  const whole = texts.filter((text) => text.split('image/png').length > IMAGES && !text.includes('isError')).length;
  const refused = texts.filter((text) => text.includes('(busy')).length;
  return {
    runtime,
    calls,
    paid,
    whole,
    refused,
    lost: paid - whole,
    'idle (MB)': Math.round(idleMb),
    'peak (MB)': Math.round(peakMb),
    'growth (MB)': Math.round(peakMb - idleMb),
    seconds: ((performance.now() - startMs) / 1000).toFixed(1),
  };
}

async function callTool(url: string, name: string, args: object): Promise<string> {
  const response = await fetch(`${url}/mcp`, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } }),
  });
  return response.text();
}
