import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMask, createRedactor } from '../src/redact.ts';
import { createTestApp, testEnvironment } from './support.ts';

const SECRET = 'canary-that-is-no-real-key';

describe('a key that an upstream sends back reaches neither the client nor the log', () => {
  const chat = (message: object, rest: object = {}) => ({ id: 'id', model: 'm', choices: [{ message }], ...rest });
  const json = { 'content-type': 'application/json' };
  const calls: [string, string, object, (key: string) => { status: number; body: object }][] = [
    ['chat text', 'chat_completion', { prompt: 'x' }, (key) => ({ status: 200, body: chat({ content: `your key is ${key}` }) })],
    ['chat id', 'chat_completion', { prompt: 'x' }, (key) => ({ status: 200, body: chat({ content: 'y' }, { id: key }) })],
    ['chat model', 'chat_completion', { prompt: 'x' }, (key) => ({ status: 200, body: chat({ content: 'y' }, { model: key }) })],
    ['usage', 'chat_completion', { prompt: 'x' }, (key) => ({ status: 200, body: chat({ content: 'y' }, { usage: { [key]: key } }) })],
    ['json', 'chat_completion', { prompt: 'x', json_mode: true }, (key) => ({ status: 200, body: chat({ content: `{"a":"${key}"}` }) })],
    ['error code', 'chat_completion', { prompt: 'x' }, (key) => ({ status: 400, body: { error: { code: key, message: 'no' } } })],
    ['error type', 'generate_image', { prompt: 'x' }, (key) => ({ status: 403, body: { error: { type: key, message: 'no' } } })],
    ['error message', 'synthesize_speech', { input: 'x' }, (key) => ({ status: 500, body: { error: { message: `no: ${key}` } } })],
    [
      'long message',
      'synthesize_speech',
      { input: 'x' },
      (key) => ({ status: 500, body: { error: { message: `${'x'.repeat(490)} ${key}` } } }),
    ],
    [
      'inner code',
      'chat_completion',
      { prompt: 'x' },
      (key) => ({ status: 400, body: { error: { innererror: { code: key }, message: 'no' } } }),
    ],
    ['broken video id', 'generate_video', { prompt: 'x' }, (key) => ({ status: 200, body: { id: `../${key}`, status: 'queued' } })],
    ['video id', 'generate_video', { prompt: 'x', wait_seconds: 0 }, (key) => ({ status: 200, body: { id: key, status: 'queued' } })],
    [
      'video status',
      'generate_video',
      { prompt: 'x' },
      (key) => ({ status: 200, body: { id: 'v', status: key, error: { code: key, message: key } } }),
    ],
  ];

  test.each(calls)('%s', async (_, tool, args, faultOf) => {
    const env = testEnvironment();
    const app = createTestApp(env);
    const key = env.OPENAI_API_KEY ?? '';
    const { status, body } = faultOf(key);
    await app.fail({ at: 'POST', status, body: JSON.stringify(body), headers: json });
    const result = await app.call(tool, args);
    expect((await app.requests()).length).toBeGreaterThan(0);
    expect(JSON.stringify(result)).not.toContain(key.slice(0, 30));
    expect(app.logged.join()).not.toContain(key.slice(0, 30));
  });

  test('progress messages', async () => {
    const env = testEnvironment();
    const key = env.OPENAI_API_KEY ?? '';
    const app = createTestApp(env);
    await app.fail({ eventDelayMs: 20 });
    const params = { name: 'chat_completion', arguments: { prompt: `${key} and some more words to stream` }, _meta: { progressToken: 1 } };
    const text = await (await app.post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })).text();
    expect(text).toContain('notifications/progress');
    expect(text).toContain('[key] and');
    expect(text).not.toContain(key);
  });

  test('nested so deep that it cannot be written again', async () => {
    const app = createTestApp();
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    await app.fail({ at: 'POST', status: 200, body: `{"id":${deep},"status":"queued"}`, headers: json });
    expect((await app.call('generate_video', { prompt: 'x' })).content[0]?.text).toContain('(upstream_answer, ');
  });
});

describe('the redactor', () => {
  test.each([
    ['as it is', `the ${SECRET} is`],
    ['in a URL', `https://x/?k=${encodeURIComponent('a/b+canary==')}`],
    ['in a URL, in lower case', `https://x/?k=${encodeURIComponent('a/b+canary==').replaceAll(/%../g, (code) => code.toLowerCase())}`],
    ['in JSON', JSON.stringify({ key: 'quoted"canary' })],
    ['many times', `${SECRET}${SECRET} `.repeat(50)],
    ['cut in two by the bound', `${'x'.repeat(90)}${SECRET}`],
    ['moved to the bound by others before it', `${SECRET} `.repeat(20)],
  ])('takes a secret out: %s', (_, text) => {
    const redact = createRedactor([SECRET, 'a/b+canary==', 'quoted"canary', 'short']);
    for (const max of [20, 95, 100, 110, 8_000]) expect(redact(text, max)).not.toMatch(/canar|canary%3D|y-that/);
  });

  test('short values are words', () => {
    expect(createRedactor(['none'])('there are none')).toBe('there are none');
  });

  test('a text of any length is cut before it is looked at', () => {
    expect(createRedactor([SECRET])('*'.repeat(10_000_000)).length).toBeLessThanOrEqual(8_000);
  });
});

test('a mask returns the same value where there is nothing to take out', () => {
  const mask = createMask([SECRET]);
  const value = { a: ['b', { c: 1 }], d: null };
  expect(mask(value)).toBe(value);
  expect(mask({ a: [`x${SECRET}`], b: 1 })).toEqual({ a: ['x[key]'], b: 1 });
});

test('a text that is returned at once is one that no pattern would have changed', () => {
  const parts = [
    'sk-',
    'sk-abcdef',
    '**',
    'a**b',
    'Bearer ',
    'abcdefgh',
    'api key: ',
    'sig=',
    'signature=',
    'AccountKey=',
    ';base64,',
    'AAAA',
  ];
  const text = fc.array(fc.oneof(fc.constantFrom(...parts, ' ', '\n', '\t', '\u00a0', SECRET), fc.string({ maxLength: 5 })), {
    maxLength: 8,
  });
  const redact = createRedactor([SECRET]);
  fc.assert(
    fc.property(text, (pieces) => {
      const plain = pieces.join('');
      // Two spaces send any text through the patterns.
      expect(redact(`${plain}  end`)).toBe(`${redact(plain)} end`.trim());
    }),
    { numRuns: 5_000 },
  );
});
