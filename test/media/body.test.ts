import { describe, expect, test } from 'vitest';
import { type BodyOptions, type OpenedBody, openBody } from '../../src/media/body.ts';
import { testRuntime } from '../support.ts';

function options({ now, sleep } = testRuntime()): BodyOptions {
  return { service: 'The service', paid: true, maxBytes: 100, now, sleep };
}

/** All that is left, read through a buffer that is smaller than most chunks. */
async function rest({ reader }: OpenedBody): Promise<string> {
  let text = '';
  for (let buffer = new ArrayBuffer(3); ; ) {
    const chunk = await reader.read(new Uint8Array(buffer));
    if (chunk.byteLength === 0) return text;
    text += new TextDecoder().decode(chunk);
    buffer = chunk.buffer;
  }
}

function answer(chunks: string[], headers: Record<string, string> = {}, end: 'close' | 'error' | 'stall' = 'close'): Response {
  const waiting = chunks.map((chunk) => new TextEncoder().encode(chunk));
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const chunk = waiting.shift();
        if (chunk) return controller.enqueue(chunk);
        if (end === 'close') return controller.close();
        if (end === 'error') return controller.error(new Error('reset'));
        return new Promise(() => {});
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers });
}

async function readAll(response: Response, headBytes = 0): Promise<string> {
  return rest(await openBody(response, headBytes, options()));
}

test('the first bytes can be looked at, and are still there afterwards', async () => {
  const body = await openBody(answer(['ab', 'cd', 'ef', 'gh']), 5, options());
  expect(new TextDecoder().decode(body.head)).toBe('abcde');
  expect(await rest(body)).toBe('abcdefgh');
  expect(body.lengthBytes).toBeUndefined();
});

test('a body that is shorter than what is to be looked at', async () => {
  const body = await openBody(answer(['ab']), 5, options());
  expect(body.head.byteLength).toBe(2);
  expect(await rest(body)).toBe('ab');
});

test('no body at all', async () => {
  expect((await openBody(new Response(null), 5, options())).head.byteLength).toBe(0);
});

test.each([
  [{ 'content-length': '4' }, 4],
  [{ 'content-length': '4', 'content-encoding': 'identity' }, 4],
  [{ 'content-length': '4', 'content-encoding': 'gzip' }, undefined],
  [{}, undefined],
])('the length that %j declares', async (headers, expected) => {
  expect((await openBody(answer(['abcd'], headers as Record<string, string>), 0, options())).lengthBytes).toBe(expected);
});

describe('bodies that are not what they should be', () => {
  test.each([
    ['ends early', answer(['abc'], { 'content-length': '5' }), /ended after 3 of 5 bytes/],
    ['runs long', answer(['abc', 'def'], { 'content-length': '5' }), /longer than the 5 bytes it declared/],
    ['breaks off', answer(['abc'], {}, 'error'), /broke off/],
    ['is too large', answer(['x'.repeat(60), 'x'.repeat(60)]), /larger than 100 bytes/],
    ['stalls', answer(['abc'], {}, 'stall'), /stalled for 60 s/],
    ['stalls before its first byte', answer([], {}, 'stall'), /stalled for 60 s/],
  ])('%s', async (_, response, expected) => {
    await expect(readAll(response, 1)).rejects.toMatchObject({
      failure: { kind: 'upstream_answer', service: 'The service', problem: expect.stringMatching(expected) },
    });
  });
});

test('slow is not stalled: what counts is the time between two chunks', async () => {
  const runtime = testRuntime();
  let left = 4;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (left-- === 0) return controller.close();
        await runtime.sleep(40_000);
        controller.enqueue(new Uint8Array([120]));
      },
    },
    { highWaterMark: 0 },
  );
  expect(await rest(await openBody(new Response(body), 0, options(runtime)))).toBe('xxxx');
});
