import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { loadConfig } from '../src/config.ts';
import { codeBlocks } from './pages.ts';

const CONNECTION_STRING = `DefaultEndpointsProtocol=https;AccountName=myteammedia;AccountKey=${btoa('key')};EndpointSuffix=core.windows.net`;

/** Notes its arguments, a line of JSON for each command, and prints what the real one would. */
const FAKE_AZ = `#!${process.execPath}
const args = process.argv.slice(2);
require('node:fs').appendFileSync(process.env.AZ_LOG, JSON.stringify(args) + '\\n');
if (args.includes('show-connection-string')) console.log(${JSON.stringify(CONNECTION_STRING)});
if (args.includes('show')) console.log('app.example.azurecontainerapps.io');
`;

/** The commands of the page, as they reach `az` when they are run in order. */
async function runPage(): Promise<string[][]> {
  const folder = await mkdtemp(join(tmpdir(), 'deploy-azure-'));
  await writeFile(join(folder, 'az'), FAKE_AZ);
  await chmod(join(folder, 'az'), 0o755);
  const env = { PATH: `${folder}:${process.env.PATH}`, AZ_LOG: join(folder, 'log') };
  const running = promisify(execFile)('bash', ['-euo', 'pipefail', '-c', codeBlocks('docs/deploy-azure.md', 'sh').join('\n')], { env });
  running.child.stdin?.end('sk-key-that-is-typed\n');
  expect((await running).stdout).toContain('https://app.example.azurecontainerapps.io/mcp');
  const log = await readFile(env.AZ_LOG, 'utf8');
  await rm(folder, { recursive: true });
  return log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** The values of an option, up to the next one. */
function valuesOf(args: readonly string[], option: string): Record<string, string> {
  const rest = args.slice(args.indexOf(option) + 1);
  const end = rest.findIndex((value) => value.startsWith('--'));
  const pairs = rest.slice(0, end < 0 ? undefined : end).map((pair) => /^([^=]+)=(.*)$/s.exec(pair)?.slice(1) ?? []);
  return Object.fromEntries(pairs);
}

test('the commands of docs/deploy-azure.md run in order, and configure a gateway without problems or warnings', async () => {
  const commands = await runPage();
  const find = (...start: string[]) => commands.find((args) => start.every((word, index) => args[index] === word)) ?? [];
  const create = find('containerapp', 'create');
  const secrets = valuesOf(create, '--secrets');
  const stated = { ...valuesOf(create, '--env-vars'), ...valuesOf(find('containerapp', 'update'), '--set-env-vars') };
  const env = Object.fromEntries(
    Object.entries(stated).map(([name, value]) => [
      name,
      value.startsWith('secretref:') ? secrets[value.slice('secretref:'.length)] : value,
    ]),
  );
  expect(Object.keys(secrets).sort()).toEqual(['client-key', 'openai-key', 'state-secret', 'storage']);
  const loaded = loadConfig(env, { rejectWeakKey: true });
  expect(loaded).toMatchObject({ ok: true, warnings: [] });
  if (!loaded.ok) return;
  const { storage, server, openai, budgetUsdPerDay } = loaded.config;
  expect(openai.apiKey).toBe('sk-key-that-is-typed');
  expect(budgetUsdPerDay).toBe(50);
  expect(server.publicUrl).toBe('https://app.example.azurecontainerapps.io');
  expect(storage).toMatchObject({ configured: true, keepsState: true, media: { readHours: 24 } });
  expect(create[create.indexOf('--target-port') + 1]).toBe(`${server.port}`);
});

test('the first image has the version of the package, and the rule for old media is valid JSON', async () => {
  const commands = await runPage();
  const built = commands.find((args) => args[0] === 'acr' && args[1] === 'build') ?? [];
  expect(built[built.indexOf('--image') + 1]).toBe(`openai-mcp-gateway:${packageJson.version}`);
  const policy = commands.find((args) => args.includes('management-policy')) ?? [];
  expect(JSON.parse(policy[policy.indexOf('--policy') + 1] ?? '')).toMatchObject({ rules: [{ enabled: true }] });
});
