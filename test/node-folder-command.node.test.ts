import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { newAccount, type ToolResult } from './support.ts';

const CLI = fileURLToPath(new URL('../src/node-cli.ts', import.meta.url));
const IMAGE = { name: 'generate_image', arguments: { prompt: 'a lamp', size: '64x64' } };
const PNG = [0x89, 0x50, 0x4e, 0x47];

let home: string;
beforeEach(async () => {
  home = await mkdtemp(`${tmpdir()}/gateway-home-`);
});
afterEach(() => rm(home, { recursive: true }));

/** What a single user has: a key for OpenAI, and nothing else. */
const environment = () => ({
  HOME: home,
  XDG_CONFIG_HOME: home,
  OPENAI_API_KEY: newAccount(),
  OPENAI_BASE_URL: `${inject('openaiUrl')}/v1`,
});

const urlOf = (result: unknown) => (result as ToolResult).structuredContent.images[0].url as string;

test('without any storage, images of a desktop client are files in the folder of its user, which tools take', async () => {
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [CLI, '--stdio'], env: environment(), stderr: 'ignore' }),
  );
  const url = urlOf(await client.callTool(IMAGE));
  expect(url).toMatch(/^file:\/\/.*\/openai-mcp-gateway\/images\/\d{4}\/\d\d\/\d\d\/[0-9a-f-]{36}\.png$/);
  expect([...(await readFile(fileURLToPath(url))).subarray(0, 4)]).toEqual(PNG);
  const edited = urlOf(await client.callTool({ name: 'edit_image', arguments: { prompt: 'brighter', images: [url], size: '64x64' } }));
  expect([...(await readFile(fileURLToPath(edited))).subarray(0, 4)]).toEqual(PNG);
  // Nothing else of the machine.
  for (const other of ['file:///etc/hostname', `${url.slice(0, url.lastIndexOf('/images/'))}/.state-secret`]) {
    const refused = (await client.callTool({ name: 'edit_image', arguments: { prompt: 'x', images: [other] } })) as ToolResult;
    expect(refused.isError).toBe(true);
  }
  // Files have no origin from which the page of a host could load them.
  const { resources } = await client.listResources();
  expect(resources.find(({ uri }) => uri.startsWith('ui://'))?._meta?.ui).toEqual({
    permissions: { clipboardWrite: {} },
    prefersBorder: true,
  });
  await client.close();
});

test('a folder that cannot be used is named by every tool that needs it', async () => {
  await writeFile(`${home}/openai-mcp-gateway`, '');
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [CLI, '--stdio'], env: environment(), stderr: 'ignore' }),
  );
  for (const call of [IMAGE, { name: 'list_media', arguments: {} }])
    expect(((await client.callTool(call)) as ToolResult).content[0]?.text).toContain('MEDIA_DIR');
  await client.close();
});

test('without any storage, images of the command are at its own URL', async () => {
  const child: ChildProcess = spawn(process.execPath, [CLI, '--port', '0'], { cwd: home, env: environment() });
  child.stderr?.resume();
  let output = '';
  for await (const line of createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> })) {
    output += `${line}\n`;
    if (line.includes('Ctrl+C')) break;
  }
  const { url, headers } = JSON.parse(/^\{\n.*?^\}$/ms.exec(output)?.[0] ?? '').mcpServers.openai;
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
  const image = urlOf(await client.callTool(IMAGE));
  expect(new URL(image).port).toBe(new URL(url).port);
  const response = await fetch(image);
  expect(response.headers.get('content-type')).toBe('image/png');
  expect([...new Uint8Array(await response.arrayBuffer()).subarray(0, 4)]).toEqual(PNG);
  await client.close();
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});
