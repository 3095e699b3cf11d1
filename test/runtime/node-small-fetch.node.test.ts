import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { Agent } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fetchSmall } from '../../src/runtime/node-small-fetch.ts';
import { readBody } from '../../src/streams/body.ts';
import { testRuntime } from '../support.ts';

const TEXT = JSON.stringify({ text: 'Grüße 🚢'.repeat(3_000) });

/** Fetches what a server of its own answers. */
async function fetchFrom(answer: (response: ServerResponse) => void, init: RequestInit = {}): Promise<Response> {
  const server = createServer((incoming, response) => incoming.resume().once('end', () => answer(response))).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return fetchSmall(new Agent(), `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/x?y=1`, {
    method: 'post',
    body: '{}',
    ...init,
  });
}

const read = async (response: Response) => {
  const limits = { maxBytes: 100_000, timeoutMs: 60_000, minBytesPerMinute: 0, clock: testRuntime() };
  const bytes = await readBody(response, { ...limits, toError: (problem, cause) => new Error(problem, { cause }) });
  return new TextDecoder().decode(bytes);
};

describe('a small answer', () => {
  test.each<[string, (response: ServerResponse) => void]>([
    ['of known length', (response) => response.setHeader('content-length', Buffer.byteLength(TEXT)).end(TEXT)],
    ['in pieces', (response) => pipeline(Readable.from(TEXT), response, () => {})],
    ['gzip, unasked', (response) => response.setHeader('content-encoding', 'gzip').end(gzipSync(TEXT))],
    ['brotli, unasked', (response) => response.setHeader('content-encoding', 'br').end(brotliCompressSync(TEXT))],
    ['deflate, unasked', (response) => response.setHeader('content-encoding', 'deflate').end(deflateSync(TEXT))],
  ])('%s', async (_, answer) => {
    const response = await fetchFrom(answer);
    expect(response).toMatchObject({ status: 200, ok: true });
    expect(await read(response)).toBe(TEXT);
  });

  test('an error has its status, headers and a body', async () => {
    const response = await fetchFrom((response) =>
      response.writeHead(429, { 'retry-after': '7', 'x-twice': ['a', 'b'] }).end('{"error":1}'),
    );
    expect(response).toMatchObject({ status: 429, ok: false });
    expect([response.headers.get('retry-after'), response.headers.get('x-twice')]).toEqual(['7', 'a, b']);
    expect(await new Response(response.body).text()).toBe('{"error":1}');
  });

  test('a redirect is not followed', async () => {
    expect((await fetchFrom((response) => response.writeHead(302, { location: '/elsewhere' }).end())).status).toBe(302);
  });

  test.each<[string, (response: ServerResponse) => void, RegExp]>([
    ['that is cut off', (response) => response.setHeader('content-length', 1_000).write('{', () => response.destroy()), /cut off/],
    [
      'that is compressed and cut off',
      (response) => {
        const half = gzipSync(TEXT).subarray(0, 50);
        response.setHeader('content-encoding', 'gzip').write(half, () => response.destroy());
      },
      /cut off/,
    ],
    ['whose compression is broken', (response) => response.setHeader('content-encoding', 'gzip').end('no gzip'), /cut off/],
    ['that is too large', (response) => response.end('x'.repeat(200_000)), /larger than/],
  ])('one %s fails, as with fetch', async (_, answer, problem) => {
    await expect(fetchFrom(answer).then(read)).rejects.toThrow(problem);
  });

  test('without a server, nothing was sent', async () => {
    const refused = fetchSmall(new Agent(), 'http://127.0.0.1:9/', {});
    await expect(refused).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test.each(['before the answer', 'in the middle of the answer'])('is given up %s', async (when) => {
    const leaving = new AbortController();
    const closed = Promise.withResolvers<void>();
    const answered = fetchFrom(
      (response) => {
        response.once('close', () => closed.resolve());
        if (when.startsWith('in')) response.write('{', () => setTimeout(() => leaving.abort(), 50));
        else leaving.abort();
      },
      { signal: leaving.signal },
    );
    await expect(answered.then(read)).rejects.toThrow();
    await closed.promise;
  });
});
