import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BlobSASPermissions, BlobServiceClient } from '@azure/storage-blob';
import { KEY, type RuntimeName, startGateway } from '../load/gateways.ts';
import { startAzurite } from '../stand-ins/azurite.ts';
import { median } from './load.ts';
import { makeNoise } from './noise.ts';
import { table } from './table.ts';

const IMAGES = 21;

/** From the last byte of the upstream's answer to the last of the gateway's, beside one upload of the same bytes. */
export async function measureImage(): Promise<string> {
  const image = await makeNoise();
  const body = JSON.stringify({ created: 1, data: [{ b64_json: image.toString('base64') }] });
  let sentMs = 0;
  const upstream = createServer((incoming, response) => {
    incoming.resume().once('end', () => {
      response.setHeader('content-type', 'application/json');
      response.end(body, () => {
        sentMs = performance.now();
      });
    });
  }).listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  const upstreamUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`;
  const azurite = await startAzurite();
  const rows = [];
  for (const runtime of ['node', 'workerd'] satisfies RuntimeName[]) {
    const gateway = await startGateway(runtime, {
      OPENAI_BASE_URL: upstreamUrl,
      AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString,
      AZURE_BLOB_CONTAINER: azurite.container,
      AZURE_BLOB_PUBLIC_BASE_URL: azurite.containerUrl,
    });
    const times: Record<'stored' | 'call' | 'put' | 'bare', number[]> = { stored: [], call: [], put: [], bare: [] };
    for (let number = 0; number < IMAGES; number++) {
      const startMs = performance.now();
      await generate(gateway.url, number);
      times.call.push(performance.now() - startMs);
      times.stored.push(performance.now() - sentMs);
      // What a caller without a gateway would do.
      const bareMs = performance.now();
      await (await fetch(`${upstreamUrl}/images/generations`, { method: 'POST', body: '{}' })).text();
      const putMs = performance.now();
      await put(azurite, image, `${runtime}-${number}.png`);
      times.put.push(performance.now() - putMs);
      times.bare.push(performance.now() - bareMs);
    }
    await gateway.close();
    // The first is slow everywhere.
    const of = (name: keyof typeof times) => median(times[name].slice(1));
    rows.push([
      runtime,
      of('put').toFixed(1),
      of('stored').toFixed(1),
      (of('stored') / of('put')).toFixed(2),
      of('bare').toFixed(1),
      of('call').toFixed(1),
      (of('call') / of('bare')).toFixed(2),
    ]);
  }
  await azurite.close();
  upstream.close();
  const megabytes = (image.length / 1e6).toFixed(1);
  return table(
    `An image of ${megabytes} MB from an instant upstream, p50 in ms`,
    ['runtime', 'raw PUT', "upstream's last byte to the answer", 'ratio', 'request and raw PUT', 'the whole call', 'ratio'],
    rows,
  );
}

async function generate(url: string, number: number): Promise<void> {
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const params = { name: 'generate_image', arguments: { prompt: `bench ${number}` } };
  const response = await fetch(`${url}/mcp`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ jsonrpc: '2.0', id: number, method: 'tools/call', params }),
  });
  const text = await response.text();
  if (!text.includes('image/png')) throw new Error(text.slice(0, 300));
}

async function put({ connectionString, container }: { connectionString: string; container: string }, bytes: Buffer, name: string) {
  const client = BlobServiceClient.fromConnectionString(connectionString).getContainerClient(container).getBlockBlobClient(name);
  const expiresOn = new Date(Date.now() + 3_600_000);
  const url = await client.generateSasUrl({ permissions: BlobSASPermissions.parse('cw'), expiresOn });
  const response = await fetch(url, { method: 'PUT', headers: { 'x-ms-blob-type': 'BlockBlob' }, body: new Uint8Array(bytes) });
  if (response.status !== 201) throw new Error(`The upload was answered with ${response.status}.`);
}
