import { describe, expect, test } from 'vitest';
import { type BodyOptions, type OpenedBody, openBody, readBody } from '../../src/streams/body.ts';
import { createSleepClock, testRuntime } from '../support.ts';

function options(clock = testRuntime(), maxBytes = 100): BodyOptions {
  const pace = { timeoutMs: 600_000, minBytesPerMinute: 16 };
  return { clock, maxBytes, ...pace, toError: (problem, cause) => new Error(`told: ${problem}`, { cause }) };
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

test('peeked bytes are still readable afterwards', async () => {
  const body = await openBody(answer(['ab', 'cd', 'ef', 'gh']), 5, options());
  expect(new TextDecoder().decode(body.head)).toBe('abcde');
  expect(await rest(body)).toBe('abcdefgh');
});

test('a body shorter than the peek', async () => {
  const body = await openBody(answer(['ab']), 5, options());
  expect(body.head.byteLength).toBe(2);
  expect(await rest(body)).toBe('ab');
});

test('no body at all', async () => {
  expect((await openBody(new Response(null), 5, options())).head.byteLength).toBe(0);
});

test('the declared length of a compressed body is ignored', async () => {
  const headers = { 'content-length': '2', 'content-encoding': 'gzip' };
  expect(await readAll(answer(['abcd'], headers))).toBe('abcd');
});

test('a body can be read as a whole', async () => {
  expect(new TextDecoder().decode(await readBody(answer(['ab', 'cd', 'ef']), options()))).toBe('abcdef');
});

describe('bad bodies', () => {
  test.each([
    ['ends early', answer(['abc'], { 'content-length': '5' }), /3 of 5 bytes/],
    ['runs long', answer(['abc', 'def'], { 'content-length': '5' }), /5 bytes/],
    ['breaks off', answer(['abc'], {}, 'error'), /./],
    ['is too large', answer(['x'.repeat(60), 'x'.repeat(60)]), /100 bytes/],
    ['stalls', answer(['abc'], {}, 'stall'), /3 bytes/],
    ['stalls before its first byte', answer([], {}, 'stall'), /0 bytes/],
  ])('%s', async (_, response, expected) => {
    await expect(readAll(response, 1)).rejects.toThrow(expected);
  });
});

/** A body of so many chunks, each after a wait. */
function slowBody(sleep: (ms: number) => Promise<void>, waitMs: number, chunkBytes: number, chunks = Number.POSITIVE_INFINITY) {
  let left = chunks;
  const source = {
    async pull(controller: ReadableStreamDefaultController<Uint8Array>) {
      if (left-- === 0) return controller.close();
      await sleep(waitMs);
      controller.enqueue(new Uint8Array(chunkBytes).fill(120));
    },
  };
  return new ReadableStream<Uint8Array>(source, { highWaterMark: 0 });
}

test('a slow body is not stalled while each minute brings enough', async () => {
  const runtime = testRuntime();
  const body = slowBody(runtime.sleep, 40_000, 16, 4);
  expect(await rest(await openBody(new Response(body), 0, options(runtime)))).toBe('x'.repeat(64));
});

test('a dripping body counts as stalled', async () => {
  const runtime = testRuntime();
  const body = slowBody(runtime.sleep, 6_000, 1);
  await expect(openBody(new Response(body), 64, options(runtime))).rejects.toThrow(/\d+ bytes.*60 s/);
});

test('a body that never ends times out', async () => {
  const runtime = testRuntime(createSleepClock());
  const body = slowBody(runtime.sleep, 10_000, 16);
  await expect(readBody(new Response(body), options(runtime, 1e6))).rejects.toThrow(/600 s/);
});

test('time in which nobody reads does not count', async () => {
  const runtime = testRuntime(createSleepClock());
  const { reader } = await openBody(answer(['ab', 'cd']), 0, options(runtime));
  await reader.read(new Uint8Array(2));
  await runtime.sleep(700_000);
  expect((await reader.read(new Uint8Array(2))).byteLength).toBe(2);
});
