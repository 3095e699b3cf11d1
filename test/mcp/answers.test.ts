import { describe, expect, test } from 'vitest';
import { CLIENT_KEY, createTestApp, ENVELOPE, eventually, MODERN, readAnswer, testEnvironment, testRuntime } from '../support.ts';

/** The same call, as a client of each era sends it. */
const eras = {
  '2025': { headers: { 'mcp-protocol-version': '2025-11-25' }, meta: {} },
  '2026': { headers: { 'mcp-protocol-version': MODERN, 'mcp-method': 'tools/call', 'mcp-name': 'chat_completion' }, meta: ENVELOPE },
};

function chat(era: keyof typeof eras, { prompt = 'Hello', progressToken }: { prompt?: string; progressToken?: number } = {}) {
  const { headers, meta } = eras[era];
  const _meta = { ...meta, ...(progressToken && { progressToken }) };
  return {
    message: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'chat_completion', arguments: { prompt }, _meta } },
    headers,
  };
}

/** Reads a whole stream; the upstream, which holds its response, sends it as soon as what has come so far is enough. */
async function readAndRelease(
  app: ReturnType<typeof createTestApp>,
  response: Response,
  isEnough: (text: string) => boolean,
): Promise<string> {
  let text = '';
  let isReleased = false;
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (isReleased || !isEnough(text)) continue;
    isReleased = true;
    await app.release();
  }
  return text;
}
const keepAlives = (text: string) => text.match(/^: keep-alive$/gm)?.length ?? 0;

describe.each(Object.keys(eras) as (keyof typeof eras)[])('a call of the %s era', (era) => {
  test('returns plain JSON when it is fast', async () => {
    const { message, headers } = chat(era);
    const response = await createTestApp().post(message, headers);
    expect(response.headers.get('content-type')).toContain('application/json');
    expect(await response.json()).toMatchObject({ id: 1, result: { structuredContent: { text: 'The stand-in was asked: Hello' } } });
  });

  test('that is slow gets comments until its response', async () => {
    const app = createTestApp(testEnvironment(), testRuntime({ heartbeatMs: 1_000 }));
    await app.fail({ hold: 'all' });
    const { message, headers } = chat(era);
    const response = await app.post(message, headers);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const text = await readAndRelease(app, response, (text) => keepAlives(text) > 3);
    expect((await readAnswer(new Response(text))).result).toMatchObject({ structuredContent: { text: 'The stand-in was asked: Hello' } });
  });

  test('without a progress token gets only comments and its result', async () => {
    const app = createTestApp(testEnvironment(), testRuntime({ heartbeatMs: 1_000 }));
    await app.fail({ hold: 'all' });
    const { message, headers } = chat(era);
    const text = await readAndRelease(app, await app.post(message, headers), (text) => keepAlives(text) > 0);
    expect(text.match(/^data:/gm)).toHaveLength(1);
  });

  test('that is slow sends progress, even when a heartbeat precedes the first message', async () => {
    const app = createTestApp(testEnvironment(), testRuntime({ heartbeatMs: 500 }, 10));
    await app.fail({ hold: 'all' });
    const { message, headers } = chat(era, { progressToken: 5 });
    const methodsIn = (text: string): (string | undefined)[] =>
      [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data).method);
    // The upstream responds after the second: so none of them was kept back until the end.
    const text = await readAndRelease(
      app,
      await app.post(message, headers),
      (text) => methodsIn(text.slice(0, text.lastIndexOf('\n\n') + 2)).length > 1,
    );
    const methods = methodsIn(text);
    expect(methods.length).toBeGreaterThan(2);
    expect(methods).toEqual([...methods.slice(1).map(() => 'notifications/progress'), undefined]);
    expect(text).not.toContain('data: event');
  });

  test.each([undefined, 5])('is cancelled when its client disconnects (progress token %s)', async (progressToken) => {
    const app = createTestApp();
    await app.fail({ hold: 'all' });
    const client = new AbortController();
    const { message, headers } = chat(era, progressToken === undefined ? {} : { progressToken });
    const init = { method: 'POST', headers: { ...headers, authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' } };
    const answered = Promise.resolve(app.app.request('/mcp', { ...init, body: JSON.stringify(message), signal: client.signal }));
    await eventually(async () => (await app.requests()).length > 0);
    client.abort();
    await eventually(async () => (await app.requests())[0]?.brokenOffAtMs);
    await (await answered.catch(() => undefined))?.text().catch(() => {});
    await eventually(() => app.gateway.callsInFlight() === 0);
    expect(app.logged.join('\n')).toContain('"outcome":"cancelled"');
  });
});

test('a thousand calls with disconnected clients leave nothing in flight', async () => {
  const app = createTestApp();
  const gone = Array.from({ length: 1_000 }, async (_, index) => {
    const client = new AbortController();
    setTimeout(() => client.abort(), index % 50);
    const { message, headers } = chat(index % 2 ? '2025' : '2026', index % 3 ? {} : { progressToken: index });
    const init = { method: 'POST', headers: { ...headers, authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' } };
    const response = await app.app.request('/mcp', { ...init, body: JSON.stringify(message), signal: client.signal });
    await response.text();
  });
  const outcomes = await Promise.allSettled(gone);
  expect(outcomes).toHaveLength(1_000);
  await eventually(() => app.gateway.callsInFlight() === 0);
  const { message, headers } = chat('2026');
  expect((await app.post(message, headers)).status).toBe(200);
});

test('the log has the duration of a call, and of its request up to the last byte', async () => {
  const app = createTestApp(testEnvironment(), testRuntime({ heartbeatMs: 1_000 }));
  await app.fail({ delayMs: 100 });
  const { message, headers } = chat('2025');
  await (await app.post(message, headers)).text();
  const logged = (event: string) => JSON.parse(app.logged.find((line) => line.includes(`"event":"${event}"`)) ?? '{}');
  // A hundred milliseconds are ten seconds by the clock of the tests; the first byte came after one.
  expect(logged('tool_call').duration_ms).toBeGreaterThan(9_000);
  expect(logged('request').duration_ms).toBeGreaterThanOrEqual(logged('tool_call').duration_ms);
});
