import type { ServerContext } from '@modelcontextprotocol/server';
import { describe, expect, test } from 'vitest';
import { startProgress } from '../../src/mcp/progress.ts';
import { createTestApp, readAnswer, testEnvironment } from '../support.ts';

type Step = { progressToken: string; progress: number; message: string };

async function callWithProgress(app: ReturnType<typeof createTestApp>, name: string, args: object, progressToken?: string) {
  const params = { name, arguments: args, ...(progressToken && { _meta: { progressToken } }) };
  const response = await app.post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  const text = await response.clone().text();
  const messages = [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data));
  const steps: Step[] = messages.filter(({ method }) => method === 'notifications/progress').map((message) => message.params);
  return {
    steps,
    answer: (await readAnswer(response)).result as { structuredContent: { text: string; finish_reason: string; usage: object } },
  };
}

const QUESTION = 'Please say many words: one two three four five six seven eight nine ten';

test('a slow call reports progress within a second, then at least every five', async () => {
  let clockMs = 0;
  const toldAtMs: number[] = [];
  const steps: Step[] = [];
  const sleep = async (ms: number, signal?: AbortSignal) => {
    await Promise.resolve();
    signal?.throwIfAborted();
    clockMs += ms;
  };
  await new Promise<void>((resolve) => {
    async function notify({ params }: { params: Step }) {
      steps.push(params);
      if (toldAtMs.push(clockMs) < 10) return;
      progress.end();
      resolve();
    }
    const request = { _meta: { progressToken: 'token' }, notify } as unknown as ServerContext['mcpReq'];
    const progress = startProgress(request, { activity: 'generating image', clock: { now: () => clockMs, sleep, timeLimit: sleep } });
  });
  expect(toldAtMs[0]).toBeLessThanOrEqual(1_000);
  for (const [index, ms] of toldAtMs.entries()) expect(ms - (toldAtMs[index - 1] ?? 0)).toBeLessThanOrEqual(5_000);
  expect(steps.map(({ message }) => message)).toEqual(toldAtMs.map((ms) => `generating image, ${Math.round(ms / 1000)} s`));
  expect(steps.map(({ progress }) => progress)).toEqual(steps.map((_, index) => index + 1));
  expect(steps.every(({ progressToken }) => progressToken === 'token')).toBe(true);
});

test('no progress without a token', async () => {
  const app = createTestApp();
  await app.fail({ delayMs: 100 });
  expect((await callWithProgress(app, 'generate_image', { prompt: 'a lamp', size: '64x64' })).steps).toEqual([]);
});

test('no progress after the result', async () => {
  // Without a key there is no upstream to ask.
  const app = createTestApp(testEnvironment({ OPENAI_API_KEY: '', OPENAI_BASE_URL: '' }));
  const { steps } = await callWithProgress(app, 'list_supported_models', {}, 'token');
  expect(steps).toEqual([]);
});

describe('chat', () => {
  test('is streamed and reports the text so far', async () => {
    const app = createTestApp();
    await app.fail({ eventDelayMs: 8 });
    const { steps, answer } = await callWithProgress(app, 'chat_completion', { prompt: QUESTION }, 'token');
    const texts = steps.map(({ message }) => message).filter((message) => message.startsWith('The stand-in'));
    expect(texts.length).toBeGreaterThan(0);
    for (const [index, text] of texts.entries()) expect(text.startsWith(texts[index - 1] ?? '')).toBe(true);
    expect(answer.structuredContent).toMatchObject({
      text: `The stand-in was asked: ${QUESTION}`,
      finish_reason: 'stop',
      usage: { total_tokens: expect.any(Number) },
    });
    expect((await app.requests())[0]?.body).toMatchObject({ stream: true, stream_options: { include_usage: true } });
  });

  test('streamed or not, the result is the same', async () => {
    const args = { prompt: 'one two three four', json_mode: true, max_completion_tokens: 500 };
    const plain = await callWithProgress(createTestApp(), 'chat_completion', args);
    const streamed = await callWithProgress(createTestApp(), 'chat_completion', args, 'token');
    expect({ ...streamed.answer.structuredContent, id: '' }).toEqual({ ...plain.answer.structuredContent, id: '' });
    const refused = await callWithProgress(createTestApp(), 'chat_completion', { prompt: '[refuse]' }, 'token');
    expect(refused.answer.structuredContent).toMatchObject({ text: '', refusal: 'I cannot help with that.' });
  });

  test('a response that is not streamed is accepted', async () => {
    const app = createTestApp();
    const body = JSON.stringify({ choices: [{ finish_reason: 'stop', message: { content: 'at once' } }] });
    await app.fail({ status: 200, body, headers: { 'content-type': 'application/json' } });
    expect((await callWithProgress(app, 'chat_completion', { prompt: QUESTION }, 'token')).answer.structuredContent.text).toBe('at once');
  });

  test.each([
    ['a stream that breaks off', { cut: true }],
    [
      'an error in the middle',
      {
        status: 200,
        body: 'data: {"error":{"message":"Overloaded with key sk-abcdefgh1234"}}\n\n',
        headers: { 'content-type': 'text/event-stream' },
      },
    ],
    ['a stream of garbage', { status: 200, body: 'data: {"choi\n\n', headers: { 'content-type': 'text/event-stream' } }],
    ['no stream', { status: 200, body: '<html>', headers: { 'content-type': 'text/html' } }],
    ['an empty stream', { status: 200, body: 'data: [DONE]\n\n', headers: { 'content-type': 'text/event-stream' } }],
  ])('%s is an error', async (_, fault) => {
    const app = createTestApp();
    await app.fail(fault);
    const { answer } = await callWithProgress(app, 'chat_completion', { prompt: QUESTION }, 'token');
    expect(answer).toMatchObject({ isError: true, content: [{ text: expect.stringMatching(/(billed|charged).*\(upstream_/) }] });
    expect(JSON.stringify(answer)).not.toMatch(/sk-|<html>/);
  });
});
