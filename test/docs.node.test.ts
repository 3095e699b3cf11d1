import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseEnv, promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { environmentSchema, loadConfig } from '../src/config.ts';
import { clientSnippets } from '../src/home/snippets.ts';
import * as limits from '../src/limits.ts';
import { costShape } from '../src/tools/billing.ts';
import { tools } from '../src/tools/index.ts';
import { storedFile } from '../src/tools/stored-file.ts';
import { startNodeGateway } from './gateways.ts';
import { codeBlocks, pages, read, section, sources, table } from './pages.ts';
import { withTables } from './readme.ts';
import { createTestApp, servedEnvironment, testEnvironment } from './support.ts';

const EXACT_VERSION = /^(npm:.+@)?\d+\.\d+\.\d+(-[\w.]+)?$/;
const names = Object.keys(environmentSchema.shape);

test('docs/configuration.md has exactly the variables of the schema, with their defaults', () => {
  const rows = table('docs/configuration.md', '## Variables');
  expect(rows.flatMap(([name = '']) => name.split(', '))).toEqual(names.map((name) => `\`${name}\``));
  const defaults = environmentSchema.partial().parse({});
  for (const [name = '', fallback] of rows) {
    const value = defaults[name.slice(1, -1) as keyof typeof defaults];
    expect(fallback, name).toBe(value === undefined ? (name === '`MCP_SERVER_API_KEY`' ? 'required' : '') : `\`${value}\``);
  }
});

test('.dev.vars.example names every variable, in the same order', () => {
  const found = [...read('.dev.vars.example').matchAll(/^# ?([A-Z0-9_]+)=|^([A-Z0-9_]+)=/gm)].map(([, commented, set]) => commented ?? set);
  expect(found).toEqual(names);
});

test('.dev.vars.example starts the gateway once the client key is filled in, and not before', () => {
  const env = parseEnv(read('.dev.vars.example'));
  expect(loadConfig(env)).toEqual({ ok: false, problems: [{ variable: 'MCP_SERVER_API_KEY', problem: 'is required' }], warnings: [] });
  expect(loadConfig({ ...env, MCP_SERVER_API_KEY: 'filled-in' })).toMatchObject({ ok: true });
});

test('the defaults that .dev.vars.example shows are the true ones', () => {
  const shown = parseEnv(read('.dev.vars.example').replace(/^# ?([A-Z0-9_]+=)/gm, '$1'));
  const config = (env: object) => loadConfig({ ...env, MCP_SERVER_API_KEY: 'filled-in' });
  expect(config(shown)).toEqual(config({}));
});

test("SECURITY.md's limits are exactly those of the code", () => {
  const rows = [...section('SECURITY.md', '## Limits').matchAll(/^\| `([A-Z0-9_]+)` \| ([^|]+) \|/gm)].map(([, name = '', bound]) => [
    name,
    bound,
  ]);
  expect(rows).toEqual(Object.entries(limits).map(([name, value]) => [name, withUnit(name, value)]));
});

/** A limit as people write it, by the unit in its name. */
function withUnit(name: string, value: number): string {
  const scale = (units: readonly [number, string][]) => units.find(([size]) => value >= size) ?? [1, ''];
  const bytes = [
    [1024 ** 3, ' GiB'],
    [1024 ** 2, ' MiB'],
    [1024, ' KiB'],
  ] as const;
  const times = [
    [120_000, ' min'],
    [1_000, ' s'],
  ] as const;
  if (name.includes('_BYTES')) {
    const [size, unit] = scale(bytes as unknown as [number, string][]);
    return `${value / size}${unit}`;
  }
  if (!name.endsWith('_MS')) return value.toLocaleString('en');
  const [, unit] = scale(times as unknown as [number, string][]);
  return unit === ' min' ? `${value / 60_000}${unit}` : `${value / 1_000}${unit}`;
}

describe('the documented tools', () => {
  test("of the README are exactly the gateway's, each with the fields of its result", () => {
    const rows = table('README.md', '## Tools');
    expect(rows.map(([name]) => name)).toEqual(tools.map(({ name }) => `\`${name}\``));
    tools.forEach((tool, index) => {
      const fields = Object.keys(tool.output.shape).filter((field) => !(field in storedFile.shape || field in costShape));
      for (const field of fields) expect(rows[index]?.[2], tool.name).toContain(`\`${field}\``);
    });
    for (const field of Object.keys({ ...storedFile.shape, ...costShape }))
      expect(section('docs/tools.md', '## Results')).toContain(`\`${field}\``);
  });

  test('of docs/tools.md have every argument, as in their schemas (npx node test/readme.ts)', () => {
    expect(read('docs/tools.md')).toBe(withTables(read('docs/tools.md')));
  });
});

test("the README's secrets are exactly the variables that hold one", () => {
  const secrets = names.filter((name) => /_API_KEYS?$|_CONNECTION_STRING$|_ACCESS_KEY$|_SESSION_TOKEN$/.test(name));
  const row =
    read('README.md')
      .split('\n')
      .find((line) => line.startsWith('| secrets ')) ?? '';
  expect([...row.matchAll(/`([A-Z0-9_]+)`/g)].map(([, name]) => name)).toEqual(secrets);
});

/** The string literals of one exported union, such as the kinds of `Failure`. */
function literals(path: string, union: string, pattern: RegExp): string[] {
  const declaration = read(path).split(`export type ${union} =`)[1]?.split(/;\n\n/)[0] ?? '';
  return [...new Set([...declaration.matchAll(pattern)].map(([, literal = '']) => literal))].sort();
}

describe('the troubleshooting', () => {
  const documented = (heading: string) =>
    table('docs/operations.md', heading)
      .map(([code = '']) => code.slice(1, -1))
      .sort();

  test('has exactly the kinds of failure of src/errors.ts, and unexpected errors', () => {
    const kinds = literals('src/errors.ts', 'Failure', /kind: '(\w+)'/g);
    expect(kinds.length).toBeGreaterThan(15);
    expect(documented('### Tool errors')).toEqual([...kinds, 'internal'].sort());
  });

  test('has exactly the HTTP error codes of src/http/errors.ts', () => {
    const codes = literals('src/http/errors.ts', 'HttpErrorCode', /'(\w+)'/g);
    expect(codes.length).toBeGreaterThan(10);
    expect(documented('### HTTP errors')).toEqual(codes);
  });
});

test('the documented reasons for refusing tokens are exactly those of the code', () => {
  const jwt = literals('src/auth/verify-jwt.ts', 'JwtProblem', /'(\w+)'/g);
  const token = literals('src/auth/access-token.ts', 'TokenProblem', /'(\w+)'/g);
  const documented = table('docs/operations.md', '### Refused tokens').flatMap(([reasons = '']) => reasons.match(/\w+/g) ?? []);
  expect(documented.toSorted()).toEqual(['missing', ...jwt, ...token].toSorted());
});

test('every documented log event is one of the code', () => {
  const events = table('docs/operations.md', '## Logs').map(([event = '']) => event.slice(1, -1));
  expect(events.length).toBeGreaterThan(5);
  for (const event of events)
    expect(
      sources().some((source) => source.includes(`('${event}'`)),
      event,
    ).toBe(true);
});

test('the documented dependencies are exactly those of package.json, whose versions are exact', () => {
  const { dependencies, optionalDependencies, devDependencies } = packageJson;
  const versions: Record<string, string> = { ...dependencies, ...optionalDependencies, ...devDependencies };
  const rows = table('docs/architecture.md', '## Dependencies');
  expect(rows.map(([name = '']) => name.slice(1, -1))).toEqual(Object.keys(versions));
  for (const [name, why] of rows) expect(why, name).toMatch(/\w/);
  for (const [name, version] of Object.entries(versions)) expect(version, name).toMatch(EXACT_VERSION);
});

test('the packages of single scripts are documented by folder, and their versions are exact', () => {
  const manifests = globSync('test/*/installed/package.json', { cwd: new URL('..', import.meta.url) });
  expect(manifests).toHaveLength(2);
  for (const path of manifests) {
    expect(section('docs/architecture.md', '## Dependencies')).toContain(`\`${path}\``);
    for (const [name, version] of Object.entries(JSON.parse(read(path)).dependencies)) expect(version, name).toMatch(EXACT_VERSION);
  }
});

describe('the documented commands', () => {
  const blocks = pages.flatMap((path) => codeBlocks(path, 'sh'));

  test('name scripts that exist', () => {
    const text = pages.map(read).join('\n');
    for (const [, script = ''] of text.matchAll(/npm run ([\w:-]+)/g)) expect(Object.keys(packageJson.scripts)).toContain(script);
  });

  const requests = blocks.filter((block) => /^(export .*\n)?curl/.test(block));

  test('include those that a test runs', () => {
    expect(requests).toHaveLength(3);
  });

  test.each(requests)('%s', async (block) => {
    const gateway = await startNodeGateway({ MCP_SERVER_API_KEY: 'key-of-the-readme' });
    const command = block
      .replace('MCP_SERVER_API_KEY=…', 'MCP_SERVER_API_KEY=key-of-the-readme')
      .replaceAll('http://localhost:8000', gateway.url)
      .replaceAll('<MCP_SERVER_API_KEY>', 'key-of-the-readme');
    const path = `${fileURLToPath(new URL('../node_modules/.bin', import.meta.url))}:${process.env.PATH}`;
    const env = { ...process.env, PATH: path };
    const { stdout } = await promisify(execFile)('bash', ['-c', command], { env });
    await gateway.close();
    expect(stdout).toMatch(/list_supported_models|"capability":\s*"chat"|"scope":"principal"/);
  });

  test('reject a Node that is too old', async () => {
    // npm runs the script with the Node it has just installed, and reports its own.
    const run = (version: string) =>
      promisify(execFile)('bash', ['-c', packageJson.scripts.preinstall], {
        env: { ...process.env, npm_config_user_agent: `npm/10.9.9 node/v${version} linux x64 workspaces/false` },
      });
    await expect(run('20.0.0')).resolves.toMatchObject({ stderr: '' });
    await expect(run('18.20.4')).rejects.toMatchObject({
      stderr: expect.stringContaining('This needs Node 20 or later, and this is 18.20.4'),
    });
  });
});

test('the HTTP table has exactly the routes', async () => {
  const documented = table('docs/operations.md', '## HTTP').flatMap(([path = '', methods = '']) =>
    methods.split(', ').map((method) => `${method} ${path.slice(1, -1)}`),
  );
  const oauth = testEnvironment({ MCP_OAUTH_ISSUER: 'https://issuer.example.com', MCP_OAUTH_AUDIENCE: 'api://gateway' });
  const apps = [createTestApp().app, createTestApp(oauth).app, createTestApp(await servedEnvironment()).app];
  const routes = apps.flatMap((app) => app.routes).filter(({ method }) => method !== 'ALL');
  expect(documented.toSorted()).toEqual([...new Set(routes.map(({ method, path }) => `${method} ${path}`))].toSorted());
});

test("the documented client settings are those of the gateway's own page", () => {
  for (const { client, text } of clientSnippets('http://localhost:8000')) {
    const heading = client === 'Older clients' ? '## Other clients' : `## ${client}`;
    expect(section('docs/clients.md', heading), client).toContain(text);
  }
});

test("the README's client settings are those of docs/clients.md", () => {
  const blocks = codeBlocks('README.md', 'json');
  expect(blocks).toHaveLength(2);
  for (const block of blocks) expect(codeBlocks('docs/clients.md', 'json')).toContain(block);
});
