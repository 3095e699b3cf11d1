import { expect, test } from 'vitest';
import { download } from '../../src/media/download.ts';
import { testRuntime } from '../support.ts';

const URL_OF_IT = 'https://example.com/file';
const answering = (response: Response) => async () => response;
type Fetch = (url: string, init: RequestInit) => Promise<Response>;
const read = (fetch: Fetch, timeoutMs = 10_000) => download(URL_OF_IT, { clock: testRuntime(), fetch, maxBytes: 10, timeoutMs });

test('the whole body, however it is chunked', async () => {
  const body = new ReadableStream({
    start(controller) {
      for (const piece of ['01', '234', '56789']) controller.enqueue(new TextEncoder().encode(piece));
      controller.close();
    },
  });
  expect(new TextDecoder().decode(await read(answering(new Response(body))))).toBe('0123456789');
});

test('an oversized body fails before it is read to the end', async () => {
  let pulls = 0;
  const endless = new ReadableStream(
    {
      pull: (controller) => {
        pulls++;
        controller.enqueue(new Uint8Array(4));
      },
    },
    { highWaterMark: 0 },
  );
  await expect(read(answering(new Response(endless)))).rejects.toThrow(/10 bytes/);
  expect(pulls).toBeLessThan(6);
});

test('any status but a success is an error', async () => {
  await expect(read(answering(new Response('gone', { status: 410 })))).rejects.toMatchObject({
    transient: false,
    message: expect.stringContaining('410'),
  });
});

test('a response that does not arrive in time is an error', async () => {
  const hanging = (_: string, { signal }: RequestInit) =>
    new Promise<Response>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
  await expect(read(hanging, 20)).rejects.toThrow();
});
