import { ResourceNotFoundError } from '@modelcontextprotocol/client';
import { getToolUiResourceUri, McpUiResourceMetaSchema, RESOURCE_MIME_TYPE } from '@modelcontextprotocol/ext-apps/app-bridge';
import { describe, expect, inject, test } from 'vitest';
import { createTestApp, MODERN, testEnvironment } from '../support.ts';
import { connectClient } from './sdk-client.ts';

const URI = 'ui://gateway/media.html';
const EXTENSION = { 'io.modelcontextprotocol/ui': { mimeTypes: [RESOURCE_MIME_TYPE] } };
const MAX_PAGE_BYTES = 8 * 1024;

/** What a host reads of the app. */
async function readApp(env = testEnvironment()) {
  const client = await connectClient(createTestApp(env));
  const { contents } = await client.readResource({ uri: URI });
  const [content] = contents;
  if (contents.length !== 1 || !content || !('text' in content)) throw new Error('The app is not one text.');
  return { ...content, ui: McpUiResourceMetaSchema.parse(content._meta?.ui) };
}

describe.each([['legacy' as const], [{ pin: MODERN }]])('a client in mode %j', (mode) => {
  test('sees the extension, finds the app and reads it', async () => {
    const client = await connectClient(createTestApp(), mode);
    expect(client.getServerCapabilities()).toMatchObject({ resources: {}, extensions: EXTENSION });
    const { resources } = await client.listResources();
    expect(resources).toEqual([{ uri: URI, name: 'media', title: 'Media', mimeType: RESOURCE_MIME_TYPE, _meta: expect.anything() }]);
    const { contents } = await client.readResource({ uri: URI });
    expect(contents).toEqual([
      { uri: URI, mimeType: RESOURCE_MIME_TYPE, text: expect.stringMatching(/^<!doctype html>/), _meta: resources[0]?._meta },
    ]);
    expect((await client.listResourceTemplates()).resourceTemplates).toEqual([]);
  });

  test.each(['ui://gateway/other.html', `file:///${'x'.repeat(5_000)}`])('%.30s is not found', async (uri) => {
    const client = await connectClient(createTestApp(), mode);
    const error = await client.readResource({ uri }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ResourceNotFoundError);
    expect(error).toMatchObject({ code: -32602, message: expect.stringMatching(/^.{1,300}$/) });
  });
});

test('the page is small, and loads no script or style', async () => {
  const { text } = await readApp();
  expect(new TextEncoder().encode(text).byteLength).toBeLessThan(MAX_PAGE_BYTES);
  expect(text).not.toMatch(/<link|<script [^>]*src|@import|https?:\/\//);
});

test('the page may load media from the public origin, and nothing else', async () => {
  const { origin } = new URL(inject('storage').containerUrl);
  expect((await readApp()).ui).toEqual({ csp: { resourceDomains: [origin] }, permissions: { clipboardWrite: {} }, prefersBorder: true });
  const cdn = testEnvironment({ AZURE_BLOB_PUBLIC_BASE_URL: 'https://cdn.example.com:8443/media' });
  expect((await readApp(cdn)).ui.csp).toEqual({ resourceDomains: ['https://cdn.example.com:8443'] });
  expect((await readApp(testEnvironment({ AZURE_STORAGE_CONNECTION_STRING: '' }))).ui).not.toHaveProperty('csp');
});

test('the tools that make media are shown in the app', async () => {
  const { tools } = await (await connectClient(createTestApp())).listTools();
  const shown = tools.filter((tool) => getToolUiResourceUri(tool) === URI).map(({ name }) => name);
  expect(shown).toEqual(['generate_image', 'edit_image', 'synthesize_speech', 'generate_video', 'list_media']);
  expect(tools.filter((tool) => tool._meta)).toHaveLength(shown.length);
});

test('what does not change may be cached', async () => {
  const client = await connectClient(createTestApp());
  expect(await client.listResourceTemplates()).toMatchObject({ ttlMs: 300_000, cacheScope: 'private' });
});
