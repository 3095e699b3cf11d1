import { expect, inject, test } from 'vitest';
import { createTestApp, testEnvironment, testRuntime } from '../support.ts';

const { connectionString, privateContainer } = inject('storage');
const wrongKey = connectionString.replace(/AccountKey=[^;]+/, `AccountKey=${btoa('a key that is wrong')}`);
const unreachable = connectionString.replace(/BlobEndpoint=[^;]+/, 'BlobEndpoint=http://127.0.0.1:9/devstoreaccount1');

test.each([
  ['a container that does not exist', { AZURE_BLOB_CONTAINER: 'missing' }, /"missing"/],
  ['a wrong key for a public container', { AZURE_STORAGE_CONNECTION_STRING: wrongKey }, /403.*AZURE_STORAGE_CONNECTION_STRING/],
  [
    'a wrong key for a private container',
    { AZURE_STORAGE_CONNECTION_STRING: wrongKey, AZURE_BLOB_CONTAINER: privateContainer },
    /403.*AZURE_STORAGE_CONNECTION_STRING/,
  ],
  ['a storage that cannot be reached', { AZURE_STORAGE_CONNECTION_STRING: unreachable }, /AZURE_STORAGE/],
])('%s is found out before anything is paid for', async (_, overrides, expected) => {
  const app = createTestApp(testEnvironment(overrides));
  for (const [tool, args] of [
    ['generate_image', { prompt: 'a lamp' }],
    ['synthesize_speech', { input: 'Hello' }],
    ['generate_video', { prompt: 'a lamp' }],
  ] as const) {
    const { isError, content } = await app.call(tool, args);
    expect(isError).toBe(true);
    expect(content[0]?.text).toMatch(/\(storage_unusable, request /);
    expect(content[0]?.text).toMatch(expected);
  }
  expect(await app.requests()).toEqual([]);
});

test('a storage account that was checked once is not checked again', async () => {
  const runtime = testRuntime();
  const checks: number[] = [];
  const fetch: typeof runtime.fetch = async (input, init) => {
    const response = await runtime.fetch(input, init);
    if (new Headers(init?.headers).get('if-match') === '"0x0"') checks.push(response.status);
    return response;
  };
  const app = createTestApp(testEnvironment(), { ...runtime, fetch });
  for (let call = 0; call < 3; call++) await app.call('synthesize_speech', { input: 'Hello' });
  // A write that was refused for its condition alone.
  expect(checks).toEqual([412]);
});

test('a running video job is polled whatever the state of storage', async () => {
  const env = testEnvironment();
  const begun = createTestApp(env);
  await begun.setVideos({ jobSeconds: 600 });
  const { video_id } = (await begun.call('generate_video', { prompt: 'a lamp', wait_seconds: 0 })).structuredContent;
  const later = createTestApp({ ...env, AZURE_STORAGE_CONNECTION_STRING: unreachable });
  const { structuredContent } = await later.call('generate_video', { video_id, wait_seconds: 0 });
  expect(structuredContent).toMatchObject({ status: 'in_progress', video_id });
});
