import { describe, expect, test } from 'vitest';
import { createDayIndex } from '../../src/jobs/day-index.ts';
import { newSecret, setUpSealed } from '../jobs/sealed.ts';
import { createTestApp, eventually, MODERN, testEnvironment, testRuntime } from '../support.ts';
import { connectClient } from './sdk-client.ts';

const APP = 'ui://gateway/media.html';

describe.each([['legacy' as const], [{ pin: MODERN }]])('a client in mode %j', (mode) => {
  test('finds what was made, and reads its record with a fresh link', async () => {
    const app = createTestApp(testEnvironment({ AZURE_BLOB_READ_SAS_HOURS: '1' }));
    const client = await connectClient(app, mode);
    const [image] = (await app.call('generate_image', { prompt: 'a secret lamp', size: '64x64' })).structuredContent.images;
    await eventually(async () => (await client.listResources()).resources.length === 2);
    const [first, resource] = (await client.listResources()).resources;
    expect(first?.uri).toBe(APP);
    expect(resource).toEqual({
      uri: expect.stringMatching(/^gateway:\/\/media\/\d{4}-\d\d-\d\d\/job-[\w-]+\/0$/),
      name: image.url.split('?')[0].split('/').at(-1),
      description: expect.stringContaining('image/png, 64x64'),
      mimeType: 'application/json',
    });
    expect(JSON.stringify(resource)).not.toMatch(/secret lamp|sig=/);
    const [content] = (await client.readResource({ uri: resource?.uri ?? '' })).contents;
    const record = JSON.parse(content && 'text' in content ? content.text : '');
    expect(record).toMatchObject({ tool: 'generate_image', model: 'gpt-image-2', bytes: image.bytes, width: 64 });
    expect((await fetch(record.url)).status).toBe(200);
    const others = await connectClient(createTestApp(), mode);
    await expect(others.readResource({ uri: resource?.uri ?? '' })).rejects.toThrow();
  });
});

test('a long list comes in pages', async () => {
  const secret = newSecret();
  const index = createDayIndex(setUpSealed([secret], 'history').sealed, testRuntime());
  const urls = Array.from({ length: 120 }, (_, number) => `https://media.example.com/${number}.png`);
  const entryOf = (url: string, number: number) => {
    const started_ms = Date.now() - 3_600_000 - 60_000 * number;
    return {
      id: `job-${number}`,
      tool: 'generate_image',
      state: 'completed',
      started_ms,
      ended_ms: started_ms,
      files: [{ url, content_type: 'image/png', bytes: 1 }],
    };
  };
  await Promise.all(urls.map((url, number) => index.append('default', entryOf(url, number))));
  const app = createTestApp(testEnvironment({ STATE_SECRET: secret }), testRuntime({}, 1));
  const names: string[] = [];
  let cursor: string | undefined;
  do {
    const page = (await app.rpc('resources/list', cursor === undefined ? {} : { cursor })).result as {
      resources: { name: string }[];
      nextCursor?: string;
    };
    names.push(...page.resources.map(({ name }) => name));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  expect(names).toEqual(['media', ...urls.map((_, number) => `${number}.png`)]);
});

test.each(['', 'x', '-1', '1e3', '9'.repeat(40)])('an invalid cursor is an error: "%s"', async (cursor) => {
  const { error } = await createTestApp().rpc('resources/list', { cursor });
  expect(error).toMatchObject({ code: -32602 });
});

test.each(['gateway://media/2026-11-25/job-x/0', 'gateway://media/2026-99-99/x/0', 'gateway://media/../x/0', 'https://example.com/'])(
  'what is not there is not found: %s',
  async (uri) => {
    const { error } = await createTestApp().rpc('resources/read', { uri });
    expect([-32002, -32602]).toContain(error?.code);
  },
);
