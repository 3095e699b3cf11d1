import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { setVideos, testEnvironment } from '../support.ts';
import { argsOf, calls } from './calls.ts';
import type { ConnectedClient } from './connect.ts';
import { connectInspector } from './programs.ts';

const CLI = fileURLToPath(new URL('../../src/node-cli.ts', import.meta.url));

describe.each([
  ['2025-11-25', []],
  ['2026-07-28', ['--protocol-era', 'modern']],
])('the Inspector, which starts the command, %s', (_, options) => {
  let client: ConnectedClient;
  beforeAll(async () => {
    const env = testEnvironment();
    await setVideos(env.OPENAI_API_KEY ?? '', { jobSeconds: 1 });
    const variables = Object.entries(env).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
    client = await connectInspector(...variables, ...options, process.execPath, CLI, '--stdio');
  });

  test('lists the tools', async () => {
    expect((await client.listTools()).map(({ name }) => name)).toEqual(Object.keys(calls));
  });

  // The port to which an upload goes would end with the call.
  test.each(Object.entries(calls).filter(([name]) => name !== 'create_upload'))('%s', async (name, call) => {
    await call.check(await client.callTool(name, await argsOf(call)));
  });
});
