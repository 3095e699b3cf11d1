import { describe, expect, test } from 'vitest';
import { createTestApp } from '../support.ts';

async function sent(args: object): Promise<Record<string, unknown>> {
  const app = createTestApp();
  const result = await app.call('chat_completion', args);
  if (result.isError) throw new Error(result.content[0]?.text);
  return (await app.requests())[0]?.body as Record<string, unknown>;
}

const MESSAGES = [
  { role: 'system', content: 'Be brief.' },
  { role: 'developer', content: [{ type: 'text', text: 'Use English.' }] },
  {
    role: 'user',
    content: [
      { type: 'text', text: 'What is this?' },
      { type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'low' } },
    ],
  },
  { role: 'assistant', content: 'A lamp.' },
  { role: 'user', content: 'Are you sure?' },
];

/** Every argument that is passed on, at a value that is not its default. */
const PASSED_ON = {
  temperature: 0.5,
  top_p: 0.9,
  frequency_penalty: -1,
  presence_penalty: 1.5,
  max_completion_tokens: 500,
  stop: ['END', 'STOP'],
  seed: 7,
  logit_bias: { '50256': -100 },
  reasoning_effort: 'low',
  verbosity: 'high',
  service_tier: 'flex',
  store: false,
  safety_identifier: 'user-1',
  metadata: { team: 'a' },
};

describe('what is sent', () => {
  test('a prompt, and nothing that the caller has not set', async () => {
    expect(await sent({ prompt: 'Hello' })).toEqual({ model: 'gpt-6-luna', messages: [{ role: 'user', content: 'Hello' }] });
  });

  test('messages as they are', async () => {
    expect(await sent({ messages: MESSAGES })).toEqual({ model: 'gpt-6-luna', messages: MESSAGES });
  });

  test('messages with image_urls, as parts', async () => {
    const images = ['https://example.com/a.png', 'data:image/png;base64,AA=='];
    const parts = images.map((url) => ({ type: 'image_url', image_url: { url } }));
    const messages = [
      { role: 'user', content: 'Which is older?', image_urls: images },
      { role: 'user', image_urls: images },
      { role: 'user', content: [{ type: 'text', text: 'And now?' }], image_urls: images[0] },
      { role: 'assistant', content: 'The first.', image_urls: null },
    ];
    expect((await sent({ messages })).messages).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'Which is older?' }, ...parts] },
      { role: 'user', content: parts },
      { role: 'user', content: [{ type: 'text', text: 'And now?' }, parts[0]] },
      { role: 'assistant', content: 'The first.' },
    ]);
  });

  test('the system prompt comes first', async () => {
    expect(await sent({ system_prompt: 'Be kind.', messages: MESSAGES })).toMatchObject({
      messages: [{ role: 'system', content: 'Be kind.' }, ...MESSAGES],
    });
  });

  test.each(Object.entries(PASSED_ON))('%s', async (name, value) => {
    expect(await sent({ prompt: 'Hello', model: 'gpt-4.1', [name]: value })).toEqual({
      model: 'gpt-4.1',
      messages: [{ role: 'user', content: 'Hello' }],
      [name]: value,
    });
  });

  test('what is written otherwise, as it is meant', async () => {
    const args = { max_tokens: '500', temperature: '0.5', stop: 'END', store: 'false', verbosity: 'High', logit_bias: { 50256: '-100' } };
    expect(await sent({ prompt: 'Hello', model: 'gpt-4.1', system_prompt: null, messages: '', seed: null, metadata: '', ...args })).toEqual(
      {
        model: 'gpt-4.1',
        messages: [{ role: 'user', content: 'Hello' }],
        max_completion_tokens: 500,
        temperature: 0.5,
        stop: ['END'],
        store: false,
        verbosity: 'high',
        logit_bias: { 50256: -100 },
      },
    );
  });

  test('all of them together', async () => {
    expect(await sent({ prompt: 'Hello', model: 'gpt-4.1', ...PASSED_ON })).toMatchObject(PASSED_ON);
  });

  test('in JSON mode the word JSON is added when it is missing, and only then', async () => {
    expect(await sent({ prompt: 'A colour', json_mode: true })).toMatchObject({
      response_format: { type: 'json_object' },
      messages: [
        { role: 'system', content: expect.stringContaining('JSON') },
        { role: 'user', content: 'A colour' },
      ],
    });
    expect(await sent({ prompt: 'A colour as json', json_mode: true })).toMatchObject({
      messages: [{ role: 'user', content: 'A colour as json' }],
    });
    expect(await sent({ prompt: 'A colour', json_mode: false })).toEqual({
      model: 'gpt-6-luna',
      messages: [{ role: 'user', content: 'A colour' }],
    });
  });

  test("a JSON schema, bare or in OpenAI's form", async () => {
    const schema = { type: 'object', properties: { colour: { type: 'string' } } };
    expect((await sent({ prompt: 'A colour', json_schema: schema })).response_format).toEqual({
      type: 'json_schema',
      json_schema: { name: 'response', schema },
    });
    const named = { name: 'colour', description: 'A colour.', schema, strict: true };
    expect((await sent({ prompt: 'A colour', json_schema: named })).response_format).toEqual({ type: 'json_schema', json_schema: named });
    const whole = { type: 'json_schema', json_schema: named };
    expect((await sent({ prompt: 'A colour', json_schema: whole })).response_format).toEqual(whole);
  });
});

describe('what comes back', () => {
  const call = (args: object) => createTestApp().call('chat_completion', args);

  test('text, model, finish reason, usage and id', async () => {
    const result = await call({ prompt: 'Hello' });
    expect(result.structuredContent).toEqual({
      text: 'The stand-in was asked: Hello',
      model: 'gpt-6-luna-stand-in',
      finish_reason: 'stop',
      usage: expect.objectContaining({ prompt_tokens: expect.any(Number), completion_tokens: expect.any(Number) }),
      cost_note: expect.stringContaining('MODEL_PRICES'),
      id: expect.stringMatching(/^chatcmpl-/),
    });
    expect(result.content).toEqual([{ type: 'text', text: 'The stand-in was asked: Hello' }]);
  });

  test('the parsed JSON', async () => {
    expect((await call({ prompt: 'A colour', json_mode: true })).structuredContent.json).toEqual({ answer: 'A colour' });
    const json_schema = { type: 'object', properties: { n: { type: 'integer' }, tags: { type: 'array', items: { type: 'string' } } } };
    expect((await call({ prompt: 'A colour', json_schema })).structuredContent.json).toEqual({ n: 1, tags: ['text'] });
  });

  test('JSON that was cut off is returned as text, with the reason', async () => {
    const { structuredContent } = await call({ prompt: 'one two three four', json_mode: true, max_completion_tokens: 2 });
    expect(structuredContent).toMatchObject({ text: '{"answer":"one two ', finish_reason: 'length' });
    expect(structuredContent).not.toHaveProperty('json');
  });

  test('a refusal', async () => {
    const result = await call({ prompt: '[refuse]' });
    expect(result.structuredContent).toMatchObject({ text: '', refusal: 'I cannot help with that.' });
    expect(result.content[0]?.text).toBe('I cannot help with that.');
  });
});

describe('invalid input is reported by name, with what is allowed, and nothing is sent', () => {
  test.each([
    [{}, /prompt: .*messages/],
    [{ prompt: 'a', messages: MESSAGES }, /prompt.*messages/],
    [{ prompt: '' }, /prompt: pass exactly one of prompt and messages/],
    [{ prompt: 5 }, /prompt: must be a string, not a number/],
    [{ prompt: 'a', max_tokens: 5, max_completion_tokens: 6 }, /max_tokens: is another name of max_completion_tokens/],
    [{ prompt: 'a', response_format: {} }, /response_format: unknown argument; allowed: prompt, messages, .*max_completion_tokens/],
    [{ messages: [] }, /messages: must have at least 1 item/],
    [{ messages: [{ role: 'tool', content: 'a' }] }, /messages\[0\]\.role: must be one of system, developer, user, assistant/],
    [{ messages: [{ role: 'user' }] }, /messages\[0\]\.content: is required, unless there are image_urls/],
    [{ messages: [{ role: 'user', content: 5 }] }, /messages\[0\]\.content: must be a string, or a list of text and image_url parts/],
    [{ messages: [{ role: 'user', content: '', image_urls: ['file:///etc/passwd'] }] }, /messages\[0\]\.image_urls\[0\]: must be an http/],
    [{ messages: [{ role: 'system', content: 'a', image_urls: ['https://a'] }] }, /messages\[0\]\.content: images are allowed in user/],
    [
      { messages: [{ role: 'user', content: 'a', imageUrl: 'https://a' }] },
      /messages\[0\]\.imageUrl: unknown argument; did you mean image_urls\?/,
    ],
    [{ messages: [{ role: 'user', content: [{ type: 'audio' }] }] }, /messages\[0\]\.content\[0\]\.type: must be one of text, image_url/],
    [
      { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'file:///etc/passwd' } }] }] },
      /image_url\.url: must be an http\(s\) or data:image URL/,
    ],
    [{ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://' } }] }] }, /image_url\.url: /],
    [
      { messages: [{ role: 'assistant', content: [{ type: 'image_url', image_url: { url: 'https://a' } }] }] },
      /messages\[0\]\.content: images are allowed in user messages only/,
    ],
    [{ prompt: 'a', model: '..' }, /model: /],
    [{ prompt: 'a', model: 'two words' }, /model: /],
    [{ prompt: 'a', temperature: 2.1 }, /temperature: must be at most 2/],
    [{ prompt: 'a', top_p: -0.1 }, /top_p: must be at least 0/],
    [{ prompt: 'a', frequency_penalty: 3 }, /frequency_penalty: must be at most 2/],
    [{ prompt: 'a', max_completion_tokens: 0 }, /max_completion_tokens: must be at least 1/],
    [{ prompt: 'a', max_completion_tokens: 1.5 }, /max_completion_tokens: must be a whole number, not a fraction/],
    [{ prompt: 'a', stop: ['1', '2', '3', '4', '5'] }, /stop: .*1 to 4/],
    [{ prompt: 'a', stop: 5 }, /stop: must be a list, not a number/],
    [{ prompt: 'a', logit_bias: { x: 1 } }, /logit_bias\.x: the key must be a token id/],
    [{ prompt: 'a', logit_bias: { 5: 0.5 } }, /logit_bias\.5: must be a whole number/],
    [{ prompt: 'a', logit_bias: { 5: 101 } }, /logit_bias\.5: must be at most 100/],
    [{ prompt: 'a', reasoning_effort: 'huge' }, /reasoning_effort: must be one of none, minimal/],
    [{ prompt: 'a', json_mode: 'yes' }, /json_mode: must be true or false, not a string/],
    [{ prompt: 'a', json_schema: { name: 'a', schema: 5 } }, /json_schema\.schema: must be an object/],
    [{ prompt: 'a', json_schema: { type: 'json_schema', json_schema: 5 } }, /json_schema: must be an object/],
    [{ prompt: 'a', json_schema: { name: 'two words', schema: {} } }, /json_schema\.name: .*1 to 64/],
    [{ prompt: 'a', safety_identifier: 'x'.repeat(65) }, /safety_identifier: must have at most 64 characters/],
    [
      { prompt: 'a', metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, 'v'])) },
      /metadata: must have at most 16 pairs/,
    ],
    [{ prompt: 'a', metadata: { key: 'v'.repeat(513) } }, /metadata\.key: must have at most 512 characters/],
    [{ prompt: 'a', metadata: { ['k'.repeat(65)]: 'v' } }, /metadata\.k+…: the key must have at most 64 characters/],
    [{ prompt: 'a', metadata: { key: 5 } }, /metadata\.key: must be a string/],
    [[], /params\.arguments .*object/],
    ['text', /params\.arguments .*object/],
    [null, /params\.arguments .*object/],
  ])('%j', async (args, expected) => {
    const app = createTestApp();
    const answer = await app.rpc('tools/call', { name: 'chat_completion', arguments: args });
    const text = answer.error?.message ?? (answer.result as { isError: boolean; content: [{ text: string }] }).content[0].text;
    expect(text).toMatch(expected);
    expect(answer.error ?? answer.result?.isError).toBeTruthy();
    expect(await app.requests()).toEqual([]);
  });

  test('all problems are reported at once', async () => {
    const result = await createTestApp().call('chat_completion', { prompt: 'a', temperature: 9, top_p: 9, foo: 1 });
    expect(result.content[0]?.text).toMatch(/temperature.*top_p.*foo/);
  });
});

describe('unexpected upstream responses', () => {
  test.each([
    ['HTML with status 200', '<html>hello</html>'],
    ['an empty object', '{}'],
    ['no choices', '{"id":"x","choices":[]}'],
    ['cut JSON', '{"id":"x","choices":[{"mess'],
    ['an empty body', ''],
  ])('%s is an error', async (_, body) => {
    const app = createTestApp();
    await app.fail({ status: 200, body, headers: { 'content-type': 'application/json' } });
    const result = await app.call('chat_completion', { prompt: 'Hello' });
    expect(result).toMatchObject({ isError: true, content: [{ text: expect.stringMatching(/\(upstream_answer, request /) }] });
    expect(result.content[0]?.text).not.toContain('<html>');
  });

  test.each([
    ['JSON in a Markdown fence', '```json\n{"a":1}\n```', { json: { a: 1 } }],
    [
      'parts',
      [
        { type: 'text', text: '{"a"' },
        { type: 'text', text: ':1}' },
      ],
      { text: '{"a":1}', json: { a: 1 } },
    ],
  ])('%s is understood', async (_, content, expected) => {
    const app = createTestApp();
    await app.fail({
      status: 200,
      body: JSON.stringify({ choices: [{ message: { content } }] }),
      headers: { 'content-type': 'application/json' },
    });
    expect((await app.call('chat_completion', { prompt: 'JSON', json_mode: true })).structuredContent).toMatchObject(expected);
  });

  test('a bug in the gateway is not reported as an upstream failure', async () => {
    const app = createTestApp();
    // Deeper than JSON.stringify goes.
    const json_schema = `${'{"a":'.repeat(20_000)}{}${'}'.repeat(20_000)}`;
    const params = `{"name":"chat_completion","arguments":{"prompt":"a","json_schema":${json_schema}}}`;
    const response = await app.post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`);
    expect(await response.text()).not.toMatch(/connection/);
    expect(await app.requests()).toEqual([]);
  });

  test('what is missing or strange beside the text does not cost the text', async () => {
    const app = createTestApp();
    const body = { id: 5, model: null, usage: 'none', choices: [{ message: { content: 'paid for', refusal: 0, extra: [] } }], extra: {} };
    await app.fail({ status: 200, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
    expect((await app.call('chat_completion', { prompt: 'Hello' })).structuredContent).toMatchObject({
      text: 'paid for',
      finish_reason: 'unknown',
    });
  });
});

describe('what is nested beyond reason', () => {
  const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const json = { 'content-type': 'application/json' };

  test.each([65, 10_000])('JSON in the text, %i deep, is left in the text', async (depth) => {
    const app = createTestApp();
    const choices = [{ finish_reason: 'stop', message: { content: deep(depth) } }];
    await app.fail({ status: 200, body: JSON.stringify({ id: 'x', choices }), headers: json });
    const { structuredContent } = await app.call('chat_completion', { prompt: 'JSON', json_mode: true });
    expect(structuredContent.text).toHaveLength(2 * depth);
    expect(structuredContent).not.toHaveProperty('json');
  });

  test('usage is left out', async () => {
    const app = createTestApp();
    const body = `{"id":"x","choices":[{"message":{"content":"Hello"}}],"usage":{"a":${deep(10_000)}}}`;
    await app.fail({ status: 200, body, headers: json });
    const { structuredContent } = await app.call('chat_completion', { prompt: 'x' });
    expect(structuredContent.text).toBe('Hello');
    expect(structuredContent).not.toHaveProperty('usage');
  });

  test('a fence around 40 KB of blanks is no JSON', async () => {
    const app = createTestApp();
    const content = `\`\`\`json${' '.repeat(40_000)}x`;
    await app.fail({ status: 200, body: JSON.stringify({ id: 'x', choices: [{ message: { content } }] }), headers: json });
    expect((await app.call('chat_completion', { prompt: 'JSON', json_mode: true })).structuredContent).not.toHaveProperty('json');
  });
});
