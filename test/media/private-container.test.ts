import { expect, inject, test } from 'vitest';
import { CLOCK_SPEED, createTestApp, testEnvironment, testRuntime } from '../support.ts';

const HOURS = 24;

/** Storage in a private container, whose URLs can be read for a day. */
function privateEnvironment() {
  const { containerUrl, container, privateContainer } = inject('storage');
  return testEnvironment({
    AZURE_BLOB_CONTAINER: privateContainer,
    AZURE_BLOB_PUBLIC_BASE_URL: containerUrl.replace(new RegExp(`${container}$`), privateContainer),
    AZURE_BLOB_READ_SAS_HOURS: String(HOURS),
  });
}

async function statusOf(url: string, method = 'GET'): Promise<number> {
  const response = await fetch(url, { method, headers: { 'x-ms-blob-type': 'BlockBlob' }, ...(method === 'PUT' && { body: 'x' }) });
  await response.body?.cancel();
  return response.status;
}

test.each([
  ['generate_image', { prompt: 'a lamp', size: '64x64' }],
  ['synthesize_speech', { input: 'Hello' }],
])('%s returns a read-only URL and its expiry', async (tool, args) => {
  const env = { ...privateEnvironment(), MCP_RESOURCE_LINKS: '1' };
  const { structuredContent, content } = await createTestApp(env).call(tool, args);
  const file = structuredContent.images?.[0] ?? structuredContent;
  const url = new URL(file.url);
  expect(await statusOf(file.url)).toBe(200);
  expect(await statusOf(url.href.replace(url.search, ''))).not.toBe(200);
  expect(await statusOf(file.url, 'PUT')).toBe(403);
  expect(await statusOf(file.url, 'DELETE')).toBe(403);
  expect(await statusOf(file.url.replace(/\/[^/]+\?/, '/other.png?'))).toBe(403);
  expect(url.searchParams.get('sp')).toBe('r');
  expect(new Date(url.searchParams.get('se') ?? '').toISOString()).toBe(file.expires_at);
  const leftHours = (Date.parse(file.expires_at) - Date.now()) / 3_600_000;
  expect(leftHours).toBeGreaterThan(HOURS - 1);
  expect(leftHours).toBeLessThan(HOURS + 1);
  expect(content.find(({ type }) => type === 'resource_link')).toMatchObject({ uri: file.url, name: expect.not.stringContaining('?') });
});

test('a later call with the video_id returns a fresh URL for every file', async () => {
  const runtime = testRuntime();
  let later = 0;
  const app = createTestApp(privateEnvironment(), { ...runtime, now: () => runtime.now() + later });
  await app.setVideos({ jobSeconds: 5, speed: CLOCK_SPEED });
  const { structuredContent: first } = await app.call('generate_video', { prompt: 'a lamp' });
  later = 60_000;
  const { structuredContent: second } = await app.call('generate_video', { video_id: first.video_id });
  for (const file of ['video', 'thumbnail']) {
    expect(await statusOf(first[file].url)).toBe(200);
    expect(await statusOf(second[file].url)).toBe(200);
    expect(Date.parse(second[file].expires_at)).toBeGreaterThanOrEqual(Date.parse(first[file].expires_at) + 60_000);
  }
});

test("read SAS need the account's key: the operator's own SAS may write, and is not handed out", async () => {
  const env = { ...privateEnvironment(), AZURE_STORAGE_CONNECTION_STRING: inject('storage').sasConnectionString };
  expect(() => createTestApp(env)).toThrow(/AccountKey.*AZURE_BLOB_READ_SAS_HOURS/);
});

test.each([
  ['generate_image', { prompt: 'a lamp', size: '64x64' }],
  ['synthesize_speech', { input: 'Hello' }],
])('an unreadable container is reported with every result of %s, and logged once', async (tool, args) => {
  const { AZURE_BLOB_READ_SAS_HOURS: _, ...env } = privateEnvironment();
  const app = createTestApp(env);
  for (let call = 1; call <= 2; call++) {
    const { structuredContent, content } = await app.call(tool, args);
    const { warning } = structuredContent.images?.[0] ?? structuredContent;
    expect(warning).toMatch(/ 40\d\b.*AZURE_BLOB_PUBLIC_BASE_URL/);
    expect(content.map(({ text }) => text)).toContain(warning);
  }
  expect(app.logged.filter((line) => line.includes('media_unreadable'))).toHaveLength(1);
});

test.each([
  [{ AZURE_BLOB_PUBLIC_BASE_URL: 'http://127.0.0.1:9/media' }, /AZURE_BLOB_PUBLIC_BASE_URL/],
  [{ AZURE_BLOB_PUBLIC_BASE_URL: `${inject('openaiUrl')}/nothing` }, / 404\b.*AZURE_BLOB_PUBLIC_BASE_URL/],
])('a wrong public base URL is told: %o', async (overrides, expected) => {
  const { structuredContent } = await createTestApp(testEnvironment(overrides)).call('synthesize_speech', { input: 'Hello' });
  expect(structuredContent.warning).toMatch(expected);
});

test('signed URLs have a different remedy', async () => {
  const env = { ...privateEnvironment(), AZURE_BLOB_PUBLIC_BASE_URL: `${inject('openaiUrl')}/nothing` };
  const { structuredContent } = await createTestApp(env).call('synthesize_speech', { input: 'Hello' });
  expect(structuredContent.warning).toMatch(/AZURE_BLOB_PUBLIC_BASE_URL.*drops the query/);
});

test('a public container causes no warning', async () => {
  const { structuredContent } = await createTestApp().call('generate_image', { prompt: 'a lamp', size: '64x64' });
  expect(structuredContent.images[0]).not.toHaveProperty('warning');
  expect(structuredContent).not.toHaveProperty('warning');
});
