import { parseBuffer } from 'music-metadata';
import { describe, expect, inject, test } from 'vitest';
import { concatenate } from '../../src/streams/byte-reader.ts';
import type { Fault } from '../stand-ins/openai/accounts.ts';
import { createTestApp, eventually, startCall, testEnvironment, testRuntime } from '../support.ts';

const APIS = { 'the speech API': 'gpt-4o-mini-tts', 'a chat model': 'gpt-audio-1.5' };
const apis = Object.entries(APIS);
/** What stands before the sound in the stand-in's files. */
const HEAD_BYTES: Record<string, number> = { mp3: 212, wav: 44, pcm: 0 };
const OK: Fault = {};

/** Sentences that all differ. */
function textOf(characters: number): string {
  let text = '';
  for (let sentence = 1; text.length < characters; sentence++) text += `Sentence ${sentence} is about the lamp of the lighthouse. `;
  return `${text.slice(0, characters - 1)}.`;
}

/** Of twelve pieces. */
const TEXT = textOf(20_000);
const PIECES = 12;

type App = ReturnType<typeof createTestApp>;

/** The texts that the upstream was to say, in order of arrival. */
async function saidBy(app: App): Promise<string[]> {
  type Body = { input?: string; messages?: { content: string }[] };
  return (await app.requests()).map(({ body }) => (body as Body).input ?? (body as Body).messages?.at(-1)?.content ?? '');
}

/** What the stand-in says, asked for each piece in the order of the text. */
async function soundOf(said: readonly string[], text: string, response_format: string): Promise<Uint8Array> {
  const inOrder = [...new Set(said)].toSorted((a, b) => text.indexOf(a) - text.indexOf(b));
  expect(inOrder.join(' ')).toBe(text);
  const parts = inOrder.map(async (input) => {
    const response = await fetch(`${inject('openaiUrl')}/v1/audio/speech`, {
      method: 'POST',
      headers: { authorization: 'Bearer an-account-of-its-own', 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-4o-mini-tts', voice: 'alloy', input, response_format }),
    });
    return new Uint8Array(await response.arrayBuffer()).subarray(HEAD_BYTES[response_format]);
  });
  return concatenate(await Promise.all(parts));
}

const read = async (url: string) => new Uint8Array(await (await fetch(url)).arrayBuffer());
const isEnd = (bytes: Uint8Array, end: Uint8Array) => bytes.subarray(-end.byteLength).every((byte, at) => byte === end[at]);
const failAt = (index: number, fault: Fault): Fault[] => [...Array(index - 1).fill(OK), fault];

/** A runtime whose requests to storage and to the upstream are counted and can be answered. */
function watchedRuntime(intercept: (method: string, url: string) => Response | undefined = () => undefined, overrides = {}) {
  const runtime = testRuntime({ outlivesClients: true, ...overrides });
  const seen: { method: string; name: string; contentType: string | null }[] = [];
  const pieces = () =>
    seen.filter(({ method, contentType }) => method === 'PUT' && contentType?.includes('shape=')).map(({ name }) => name);
  let [now, atMost] = [0, 0];
  const watched = async (input: string, init: RequestInit = {}) => {
    const { method = 'GET' } = init;
    const answer = intercept(method, input);
    if (answer) return answer;
    const isSpoken = /audio\/speech|chat\/completions/.test(input);
    seen.push({ method, name: new URL(input).pathname, contentType: new Headers(init.headers).get('content-type') });
    if (isSpoken) atMost = Math.max(atMost, ++now);
    return runtime.fetch(input, init).finally(() => (now -= isSpoken ? 1 : 0));
  };
  return {
    runtime: { ...runtime, fetch: watched as typeof fetch },
    pieces,
    deleted: () => seen.filter(({ method, name }) => method === 'DELETE' && pieces().includes(name)).map(({ name }) => name),
    atMost: () => atMost,
  };
}

describe.each(apis)('long speech by %s', (_, model) => {
  test.each(['mp3', 'wav', 'pcm'])('as %s is one file of all pieces in order, of which none is left', async (response_format) => {
    const { runtime, pieces, deleted, atMost } = watchedRuntime();
    const app = createTestApp(testEnvironment(), runtime);
    const { structuredContent, content } = await app.call('synthesize_speech', { input: TEXT, model, response_format });
    const bytes = await read(structuredContent.url);
    expect(structuredContent).toMatchObject({ format: response_format, model, characters: 20_000, bytes: bytes.byteLength });
    expect(content[0]?.text).toContain('20000 characters');
    const said = await saidBy(app);
    expect(said).toHaveLength(PIECES);
    const sound = await soundOf(said, TEXT, response_format);
    expect(isEnd(bytes, sound)).toBe(true);
    if (response_format === 'pcm') expect(bytes.byteLength).toBe(sound.byteLength);
    else {
      const { format } = await parseBuffer(bytes, undefined, { duration: true });
      const [bytesASecond, head] = response_format === 'mp3' ? [4_000, 288] : [48_000, 44];
      expect(format).toMatchObject({ sampleRate: 24_000, numberOfChannels: 1 });
      expect(format.duration).toBeCloseTo(sound.byteLength / bytesASecond, 2);
      expect(bytes.byteLength - sound.byteLength).toBeLessThanOrEqual(head);
    }
    expect(atMost()).toBeLessThanOrEqual(3);
    expect(pieces()).toHaveLength(PIECES);
    expect(deleted().toSorted()).toEqual(pieces().toSorted());
  });

  test('after a failure, a call with the same arguments is billed only for the rest', async () => {
    const app = createTestApp();
    const args = { input: TEXT, model };
    await app.fail(...failAt(7, { status: 500 }));
    const failed = await app.call('synthesize_speech', args);
    expect(failed.isError).toBe(true);
    expect(failed.content[0]?.text).toMatch(
      /^Part \d+ of 12 failed\. .*returned 500.*billed.*[6-8] of 12 parts.*kept.*same arguments.*new idempotency_key.*only for the rest\. \(speech_interrupted, /,
    );
    // What was sent is finished, and nothing more is sent.
    const sent = (await app.requests()).length;
    expect(sent).toBeLessThanOrEqual(9);
    const { structuredContent } = await app.call('synthesize_speech', args);
    const said = await saidBy(app);
    expect(said).toHaveLength(PIECES + 1);
    expect(isEnd(await read(structuredContent.url), await soundOf(said, TEXT, 'mp3'))).toBe(true);
  });
});

describe('nothing is spent on what cannot be done', () => {
  test.each<[string, object, RegExp]>([
    ...['opus', 'aac', 'flac'].map((response_format): [string, object, RegExp] => [
      response_format,
      { input: textOf(4_097), response_format },
      /response_format: must be mp3, wav or pcm for more than 4,096 characters/,
    ]),
    ['100,001 characters', { input: textOf(100_001) }, /input: has 100001 characters; 1 to 100000 are allowed/],
    ['white space', { input: ' \n'.repeat(3_000) }, /input: must not be blank/],
    ['instructions to tts-1', { input: textOf(5_000), model: 'tts-1', instructions: 'Softly.' }, /instructions: not supported/],
  ])('%s', async (_, args, expected) => {
    const app = createTestApp();
    const { isError, content } = await app.call('synthesize_speech', args);
    expect(isError).toBe(true);
    expect(content[0]?.text).toMatch(expected);
    expect(await app.requests()).toEqual([]);
  });

  test('long speech without storage that can be read', async () => {
    const app = createTestApp(testEnvironment({ AZURE_STORAGE_CONNECTION_STRING: inject('storage').sasConnectionString }));
    const { content } = await app.call('synthesize_speech', { input: textOf(4_097) });
    expect(content[0]?.text).toMatch(/input: more than 4,096 characters need storage that can be read.*\(invalid_input, /);
    expect((await app.call('synthesize_speech', { input: textOf(4_096) })).isError).toBeUndefined();
  });
});

test('the longest text is spoken, and its call logs how long it was', async () => {
  const app = createTestApp();
  const input = textOf(100_000);
  const { structuredContent } = await app.call('synthesize_speech', { input });
  const said = await saidBy(app);
  expect(isEnd(await read(structuredContent.url), await soundOf(said, input, 'mp3'))).toBe(true);
  const line = app.logged.find((text) => text.includes('"event":"tool_call"')) ?? '{}';
  expect(JSON.parse(line)).toMatchObject({ characters: 100_000, pieces: said.length, bytes: structuredContent.bytes, outcome: 'ok' });
});

test('with memory for one piece, one is made at a time', async () => {
  const { runtime, atMost } = watchedRuntime(undefined, { mediaMemoryBytes: 8 * 1024 * 1024 });
  const app = createTestApp(testEnvironment(), runtime);
  expect((await app.call('synthesize_speech', { input: TEXT, response_format: 'wav' })).structuredContent.format).toBe('wav');
  expect(atMost()).toBe(1);
});

describe('what has been made is found again', () => {
  test('an idempotency_key is free again when the piece that failed was not billed', async () => {
    const app = createTestApp();
    const args = { input: TEXT, idempotency_key: 'one' };
    await app.fail(...failAt(5, { status: 400 }));
    expect((await app.call('synthesize_speech', args)).content[0]?.text).toMatch(/400.*kept: a call with the same arguments is billed/);
    expect((await app.call('synthesize_speech', args)).structuredContent.characters).toBe(20_000);
    expect(await app.requests()).toHaveLength(PIECES + 1);
  });

  test('by nobody who asks for anything else', async () => {
    const app = createTestApp();
    await app.fail(...failAt(12, { status: 500 }));
    await app.call('synthesize_speech', { input: TEXT });
    const before = (await app.requests()).length;
    await app.call('synthesize_speech', { input: TEXT, voice: 'nova' });
    expect((await app.requests()).length - before).toBe(PIECES);
  });

  test('with the previous secret', async () => {
    const env = testEnvironment();
    const before = createTestApp(env);
    await before.fail(...failAt(8, { status: 500 }));
    await before.call('synthesize_speech', { input: TEXT });
    const after = createTestApp({
      ...env,
      STATE_SECRET: `another-secret-${crypto.randomUUID()}`,
      STATE_SECRET_PREVIOUS: env.STATE_SECRET ?? '',
    });
    expect((await after.call('synthesize_speech', { input: TEXT })).structuredContent.characters).toBe(20_000);
    expect(await after.requests()).toHaveLength(PIECES + 1);
  });

  test('after storage could not take the joined file, for free', async () => {
    let isBroken = true;
    const { runtime } = watchedRuntime((method, url) =>
      isBroken && method === 'PUT' && /\/audio\/\d{4}\//.test(url) ? new Response(null, { status: 403 }) : undefined,
    );
    const app = createTestApp(testEnvironment(), runtime);
    const { content } = await app.call('synthesize_speech', { input: TEXT });
    expect(content[0]?.text).toMatch(/403.*12 of 12 parts.*is not billed\. \(speech_interrupted, /);
    isBroken = false;
    expect((await app.call('synthesize_speech', { input: TEXT })).structuredContent.characters).toBe(20_000);
    expect(await app.requests()).toHaveLength(PIECES);
  });

  test('after its client has left: what was sent is kept, and what was not sent is not', async () => {
    const app = createTestApp(testEnvironment(), testRuntime({ outlivesClients: true }));
    await app.fail(OK, OK, OK, { hold: 'all' }, { hold: 'all' }, { hold: 'all' });
    const { leave, result } = startCall((request) => app.app.request(request), 'synthesize_speech', { input: TEXT });
    await eventually(async () => (await app.requests()).length === 6);
    leave();
    await expect(result).rejects.toThrow();
    await app.release();
    await eventually(() => app.logged.some((line) => line.includes('"event":"job"') && line.includes('"failed"')));
    expect(await app.requests()).toHaveLength(6);
    expect((await app.call('synthesize_speech', { input: TEXT })).structuredContent.characters).toBe(20_000);
    expect(await app.requests()).toHaveLength(PIECES);
  });

  test('unless it was deleted before it was joined: then it is looked for again', async () => {
    let isDeleted = false;
    const { runtime, pieces } = watchedRuntime((method, url) => {
      if (isDeleted || method !== 'GET' || !pieces().includes(new URL(url).pathname)) return undefined;
      isDeleted = true;
      return new Response(null, { status: 404, headers: { 'x-ms-request-id': 'r' } });
    });
    const app = createTestApp(testEnvironment(), runtime);
    expect((await app.call('synthesize_speech', { input: TEXT })).structuredContent.characters).toBe(20_000);
    expect(isDeleted).toBe(true);
    expect(await app.requests()).toHaveLength(PIECES);
  });
});

test('two identical calls at the same time both get all of it, and pay no more than two', async () => {
  const app = createTestApp(testEnvironment(), testRuntime({ outlivesClients: true }));
  const call = (id: number) =>
    startCall((request) => app.app.request(request), 'synthesize_speech', { input: TEXT, response_format: 'pcm' }, { id });
  const results = await Promise.all([call(1).result, call(2).result]);
  const urls = results.map(({ structuredContent }) => structuredContent.url);
  expect(new Set(urls).size).toBe(2);
  const sound = await soundOf(await saidBy(app), TEXT, 'pcm');
  for (const url of urls) expect(isEnd(await read(url), sound)).toBe(true);
  expect((await app.requests()).length).toBeLessThanOrEqual(2 * PIECES);
});

describe('a piece that is not what was asked for is refused, and the others are kept', () => {
  /** 8 kHz, in ASCII. */
  const slowWav = `RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\0\0\0\0\x02\0\x10\0data\0\0\0\0samples`;

  test.each<[string, string, string, RegExp]>([
    ['another format', 'mp3', 'fLaC and so on', /^Part \d+ of 12 failed\. .*not mp3 audio/],
    ['text', 'pcm', '{"error": 1}', /^Part \d+ of 12 failed\. .*not pcm audio/],
    ['broken', 'wav', 'RIFF\0\0\0\0WAVEdata', /^Part \d+ of 12 failed\. .*not wav audio/],
    ['another sampling rate', 'wav', slowWav, /^Part \d+ of 12 failed\. .*sampling rate.*11 of 12 parts/],
  ])('%s (%s)', async (_, response_format, body, expected) => {
    const app = createTestApp();
    await app.fail(...failAt(3, { status: 200, body }));
    const args = { input: TEXT, response_format };
    expect((await app.call('synthesize_speech', args)).content[0]?.text).toMatch(expected);
    const { structuredContent } = await app.call('synthesize_speech', args);
    expect(isEnd(await read(structuredContent.url), await soundOf(await saidBy(app), TEXT, response_format))).toBe(true);
    expect(await app.requests()).toHaveLength(PIECES + 1);
  });
});

test('progress names the parts', async () => {
  const app = createTestApp();
  const params = { name: 'synthesize_speech', arguments: { input: TEXT }, _meta: { progressToken: 'p' } };
  const text = await (await app.post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })).text();
  const steps = [...text.matchAll(/"progress":([\d.]+),"total":100,"message":"synthesizing speech, (.*?)"/g)];
  expect(steps.map(([, , what]) => what)).toEqual(
    expect.arrayContaining([...Array.from({ length: PIECES }, (_, index) => `part ${index + 1} of 12`), 'joining 12 parts']),
  );
  const shares = steps.map(([, share]) => Number(share));
  expect(shares.at(-1)).toBeGreaterThan(90);
  expect(shares).toEqual(shares.toSorted((a, b) => a - b));
});

test('what chat models have said in another way is one warning, also of pieces that an earlier call has made', async () => {
  const app = createTestApp();
  // In parts 2 and 5.
  const input = TEXT.replace('Sentence 40 ', '[misread] ').replace('Sentence 150 ', '[misread] ');
  const args = { input, model: APIS['a chat model'] };
  await app.fail(...failAt(9, { status: 500 }));
  expect((await app.call('synthesize_speech', args)).isError).toBe(true);
  const { structuredContent } = await app.call('synthesize_speech', args);
  expect(structuredContent.warning).toMatch(/^2 words in 2 of 12 parts .*in part \d+, which begins "Sentence \d+/);
});
