import { describe, expect, test } from 'vitest';
import { MAX_REFUSALS_PER_MINUTE } from '../../src/limits.ts';
import { CLIENT_KEY, CLOCK_SPEED, createSleepClock, createTestApp, testEnvironment, testRuntime } from '../support.ts';

const PROMPT = 'a-word-of-the-prompt';

/** The line that a call leaves in the log. */
async function lineOf(tool: string, args: object, fault?: Parameters<ReturnType<typeof createTestApp>['fail']>[0]) {
  const app = createTestApp(testEnvironment(), testRuntime(createSleepClock(CLOCK_SPEED)));
  await app.setVideos({ jobSeconds: 30, speed: CLOCK_SPEED });
  if (fault) await app.fail(fault);
  const { structuredContent } = await app.call(tool, args);
  const lines = app.logged.filter((line) => line.includes('"event":"tool_call"'));
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain(PROMPT);
  expect(lines[0]).not.toContain('http');
  return { line: JSON.parse(lines[0] ?? '{}'), structuredContent };
}

const common = (tool: string, model: string) => ({
  event: 'tool_call',
  level: 'info',
  outcome: 'ok',
  tool,
  model,
  request_id: expect.any(String),
  principal: 'default',
  duration_ms: expect.any(Number),
  time: expect.any(String),
});
const blob = (kind: string, extension: string) => expect.stringMatching(new RegExp(`^${kind}/\\d{4}/\\d{2}/\\d{2}/[^/]+\\.${extension}$`));

describe('the tool_call line', () => {
  test('of chat has the model, the time of the upstream and the tokens', async () => {
    const { line, structuredContent } = await lineOf('chat_completion', { prompt: PROMPT, model: 'gpt-6-sol' });
    expect(line).toEqual({
      ...common('chat_completion', 'gpt-6-sol'),
      upstream_ms: expect.any(Number),
      input_tokens: structuredContent.usage.prompt_tokens,
      output_tokens: structuredContent.usage.completion_tokens,
    });
  });

  test('of images adds what was stored', async () => {
    const { line, structuredContent } = await lineOf('generate_image', { prompt: PROMPT, n: 2, size: '64x64' });
    const [first, second] = structuredContent.images;
    expect(line).toEqual({
      ...common('generate_image', 'gpt-image-2'),
      upstream_ms: expect.any(Number),
      upload_ms: expect.any(Number),
      input_tokens: structuredContent.usage.input_tokens,
      output_tokens: structuredContent.usage.output_tokens,
      images: 2,
      bytes: first.bytes + second.bytes,
      blobs: [blob('images', 'png'), blob('images', 'png')],
    });
    expect(first.url).toContain(line.blobs[0]);
  });

  test('of speech has the characters', async () => {
    const { line, structuredContent } = await lineOf('synthesize_speech', { input: PROMPT });
    expect(line).toEqual({
      ...common('synthesize_speech', 'gpt-4o-mini-tts'),
      upstream_ms: expect.any(Number),
      upload_ms: expect.any(Number),
      characters: PROMPT.length,
      bytes: structuredContent.bytes,
      blobs: [blob('audio', 'mp3')],
    });
  });

  test('of video has the seconds, and every file', async () => {
    const { line, structuredContent } = await lineOf('generate_video', { prompt: PROMPT, seconds: 8, wait_seconds: 600 });
    expect(line).toEqual({
      ...common('generate_video', 'sora-2'),
      upstream_ms: expect.any(Number),
      upload_ms: expect.any(Number),
      seconds: 8,
      bytes: structuredContent.video.bytes + structuredContent.thumbnail.bytes,
      blobs: [blob('videos', 'mp4'), blob('videos', 'webp')],
    });
  });

  test('of a failed call has what was measured until then', async () => {
    const { line } = await lineOf('chat_completion', { prompt: PROMPT }, { status: 500 });
    expect(line).toMatchObject({ level: 'warn', outcome: 'upstream_status', model: 'gpt-6-luna', upstream_ms: expect.any(Number) });
    expect(line).not.toHaveProperty('input_tokens');
  });

  test('of a usage without numbers has no tokens', async () => {
    const message = { choices: [{ message: { content: 'Hello' } }], usage: { prompt_tokens: 'many', completion_tokens: -1 } };
    const fault = { status: 200, body: JSON.stringify(message), headers: { 'content-type': 'application/json' } };
    const { line } = await lineOf('chat_completion', { prompt: PROMPT }, fault);
    expect(line).toEqual({ ...common('chat_completion', 'gpt-6-luna'), upstream_ms: expect.any(Number) });
  });
});

describe('a refused bearer', () => {
  const refusals = (lines: string[]) => lines.filter((line) => line.includes('"event":"bearer_refused"')).map((line) => JSON.parse(line));

  test.each([
    ['missing', undefined],
    ['malformed', CLIENT_KEY],
    ['malformed', `Bearer ${'x'.repeat(100_000)}`],
    ['unknown', 'Bearer not-the-key'],
  ])('that is %s is a warning with its reason, and never the token', async (reason, authorization) => {
    const { app, logged } = createTestApp();
    const response = await app.request('/mcp', { method: 'POST', headers: authorization === undefined ? {} : { authorization } });
    const request_id = response.headers.get('x-request-id');
    expect(refusals(logged)).toEqual([{ time: expect.any(String), level: 'warn', event: 'bearer_refused', request_id, reason }]);
  });

  test('does not flood the log: what is beyond the bound is counted', async () => {
    let nowMs = 0;
    const { app, logged } = createTestApp(testEnvironment(), testRuntime({ now: () => nowMs }));
    for (let i = 0; i < MAX_REFUSALS_PER_MINUTE + 5; i++) await app.request('/mcp');
    expect(refusals(logged)).toHaveLength(MAX_REFUSALS_PER_MINUTE);
    nowMs = 60_000;
    await app.request('/mcp');
    expect(refusals(logged).at(-1)).toMatchObject({ reason: 'missing', omitted: 5 });
  });
});
