import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { codeBlocks, section } from '../pages.ts';
import { CLIENT_KEY, setVideos, testEnvironment } from '../support.ts';
import { argsOf, calls } from './calls.ts';
import { type ConnectedClient, sdkClients, type TestedClient } from './connect.ts';
import { frameworks } from './installed/frameworks.ts';
import { mcpRemoteCommand, programs, runShell } from './programs.ts';

const clients: Record<string, TestedClient> = { ...sdkClients, ...programs, ...frameworks };
const runtimes = { Node: startNodeGateway, workerd: startWorkerdGateway };
/** The tools that each client has called, by client and runtime. */
const called = new Map<string, Set<string>>();

describe.each(Object.entries(runtimes))('%s', (runtime, start) => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    const env = testEnvironment();
    await setVideos(env.OPENAI_API_KEY ?? '', { jobSeconds: 1 });
    gateway = await start(env);
  });
  afterAll(() => gateway?.close());

  describe.concurrent.each(Object.entries(clients))('%s', (name, { connect, revision }) => {
    let client: ConnectedClient;
    beforeAll(async () => {
      client = await connect(gateway.url, CLIENT_KEY);
    });
    afterAll(() => client?.close());

    test('connects with its own protocol revision, and lists the tools', async () => {
      expect(client.protocol ?? revision).toBe(revision);
      expect((await client.listTools()).map((tool) => tool.name)).toEqual(Object.keys(calls));
    });

    test.each(Object.entries(calls))('%s', async (tool, call) => {
      await call.check(await client.callTool(tool, await argsOf(call)));
      const cell = `${name} × ${runtime}`;
      called.set(cell, (called.get(cell) ?? new Set()).add(tool));
    });

    // One that the schema allows: LangChain and Mastra validate before they call.
    test('a wrong argument is an error of the tool', async () => {
      expect(await client.callTool('chat_completion', { max_completion_tokens: 500 })).toMatchObject({
        isError: true,
        content: [{ text: expect.stringContaining('pass exactly one of prompt and messages') }],
      });
    });

    test('a wrong key is refused', async () => {
      await expect(connect(gateway.url, 'wrong').then((client) => client.listTools())).rejects.toThrow();
    });
  });

  test.each(['http-only', 'sse-only'] as const)('mcp-remote (%s) with a wrong key shows what is wrong', async (transport) => {
    const { command, args, env } = mcpRemoteCommand(`${gateway.url}/mcp`, 'not-the-key', transport);
    const { code, stderr } = await promisify(execFile)(command, args, { env }).catch((error) => error);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /Fatal error: .*The key in the Authorization header is missing or wrong, and this gateway has no OAuth sign-in\./,
    );
  });

  test('the documented command of the Inspector lists the tools, and finds their schemas portable', async () => {
    const [command = ''] = codeBlocks('docs/clients.md', 'sh').filter((block) => block.includes('npx @modelcontextprotocol/inspector'));
    const filledIn = command.replace('MCP_SERVER_API_KEY=…', `MCP_SERVER_API_KEY=${CLIENT_KEY}`);
    const { stdout, stderr } = await runShell(filledIn.replaceAll('http://localhost:8000', gateway.url));
    expect(stdout).toContain('list_supported_models');
    expect(stderr).not.toMatch(/[1-9]\d* errors?/);
  });
});

test('docs/clients.md has the table of what was tested', () => {
  const table = formatTable();
  console.log(table);
  const folder = new URL('../../node_modules/.cache/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL('clients.md', folder), table);
  expect(section('docs/clients.md', '## Tested clients')).toContain(table);
});

function formatTable(): string {
  const rows = Object.entries(clients).map(([name, { package: packageName, transport, revision }]) => {
    return [
      name,
      `\`${packageName}\` ${versionOf(packageName)}`,
      transport,
      revision,
      ...Object.keys(runtimes).map((runtime) => formatCount(`${name} × ${runtime}`)),
    ];
  });
  const header = ['client', 'package', 'transport', 'revision', ...Object.keys(runtimes)];
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

function formatCount(cell: string): string {
  const all = Object.keys(calls).length;
  const count = called.get(cell)?.size ?? 0;
  return count === all ? 'all tools' : `${count} of ${all} tools`;
}

function versionOf(packageName: string): string {
  for (const path of ['installed/package.json', '../../package.json']) {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
    const version = { ...dependencies, ...devDependencies }[packageName];
    if (version) return version;
  }
  throw new Error(`${packageName} is in no package.json.`);
}
