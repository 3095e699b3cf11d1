import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseEnv, promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { environmentSchema, loadConfig } from '../src/config.ts';
import { clientSnippets } from '../src/home/snippets.ts';
import * as limits from '../src/limits.ts';
import { tools } from '../src/tools/index.ts';
import { storedFile } from '../src/tools/stored-file.ts';
import { startNodeGateway } from './gateways.ts';
import { withTables } from './readme.ts';
import { createTestApp } from './support.ts';

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const names = Object.keys(environmentSchema.shape);

/** The rows of the README's table under this heading, each as its cells. */
function table(heading: string): string[][] {
  const section = read('README.md').split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

test("the README's configuration table has exactly the variables of the schema, with their defaults", () => {
  const rows = table('Configuration');
  expect(rows.map(([name]) => name)).toEqual(names.map((name) => `\`${name}\``));
  const defaults = environmentSchema.partial().parse({});
  for (const [name = '', fallback] of rows) {
    const value = defaults[name.slice(1, -1) as keyof typeof defaults];
    expect(fallback, name).toBe(value === undefined ? (name === '`MCP_SERVER_API_KEY`' ? 'required' : '') : `\`${value}\``);
  }
});

test('.dev.vars.example names every variable, in the same order', () => {
  const found = [...read('.dev.vars.example').matchAll(/^# ?([A-Z_]+)=|^([A-Z_]+)=/gm)].map(([, commented, set]) => commented ?? set);
  expect(found).toEqual(names);
});

test('.dev.vars.example starts the gateway once the key of the clients is filled in, and not before', () => {
  const env = parseEnv(read('.dev.vars.example'));
  expect(loadConfig(env)).toEqual({ ok: false, problems: [{ variable: 'MCP_SERVER_API_KEY', problem: 'is required' }] });
  expect(loadConfig({ ...env, MCP_SERVER_API_KEY: 'filled-in' })).toMatchObject({ ok: true });
});

test('the defaults that .dev.vars.example shows are the true ones', () => {
  const shown = parseEnv(read('.dev.vars.example').replace(/^# ?([A-Z_]+=)/gm, '$1'));
  const config = (env: object) => loadConfig({ ...env, MCP_SERVER_API_KEY: 'filled-in' });
  expect(config(shown)).toEqual(config({}));
});

test("SECURITY.md's limits are exactly those of the code", () => {
  const section = read('SECURITY.md').split('\n## Limits\n')[1]?.split('\n## ')[0] ?? '';
  const rows = [...section.matchAll(/^\| `([A-Z_]+)` \| ([^|]+) \|/gm)].map(([, name = '', bound]) => [name, bound]);
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

describe("the README's tools", () => {
  test('are exactly the tools, each with what its result holds', () => {
    const rows = table('Tools').slice(0, tools.length);
    expect(rows.map(([name]) => name)).toEqual(tools.map(({ name }) => `\`${name}\``));
    tools.forEach((tool, index) => {
      const fields = Object.keys(tool.output.shape).filter((field) => !(field in storedFile.shape));
      for (const field of fields) expect(rows[index]?.[2], tool.name).toContain(`\`${field}\``);
    });
    for (const field of Object.keys(storedFile.shape)) expect(read('README.md').split('\nA file is ')[1]).toContain(`\`${field}\``);
  });

  test('are described with every argument, as in their schemas (node test/readme.ts)', () => {
    expect(read('README.md')).toBe(withTables(read('README.md')));
  });
});

test("the README's secrets are exactly the variables that hold one", () => {
  const secrets = names.filter((name) => /_API_KEY$|_CONNECTION_STRING$/.test(name));
  const row =
    read('README.md')
      .split('\n')
      .find((line) => line.startsWith('| secrets ')) ?? '';
  expect([...row.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name)).toEqual(secrets);
});

test("the README's troubleshooting quotes the true sentences", () => {
  const sources = globSync('src/**/*.ts', { cwd: new URL('..', import.meta.url) }).map(read);
  const all = [...sources, read('package.json').replaceAll("' + v + '", '')].join('\n').replaceAll('\\"', '"');
  const quoted = table('Troubleshooting').map(([sentence = '']) => /^`(.+)`$/.exec(sentence)?.[1]);
  expect(quoted.length).toBeGreaterThan(15);
  for (const sentence of quoted) if (sentence) expect(all.includes(sentence), sentence).toBe(true);
});

test("the README's dependencies are exactly those of package.json, whose versions are exact", () => {
  const { dependencies, devDependencies } = packageJson;
  const versions: Record<string, string> = { ...dependencies, ...devDependencies };
  const section = read('README.md').split('\n### Dependencies\n')[1] ?? '';
  expect([...section.matchAll(/^\| `(.+?)` \| \w.+ \|$/gm)].map(([, name]) => name)).toEqual(Object.keys(versions));
  for (const [name, version] of Object.entries(versions)) expect(version, name).toMatch(/^(npm:.+@)?\d+\.\d+\.\d+(-[\w.]+)?$/);
});

describe("the README's commands", () => {
  const blocks = [...read('README.md').matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text = '']) => text);

  test('name scripts and files that exist', () => {
    const text = blocks.join('\n');
    for (const [, script = ''] of text.matchAll(/npm run ([\w-]+)/g)) expect(packageJson.scripts).toHaveProperty(script);
    for (const [, file = ''] of text.matchAll(/node (\S+\.ts)/g)) expect(() => read(file), file).not.toThrow();
  });

  test.each(blocks.filter((block) => /^(export .*\n)?(curl|npx @modelcontextprotocol)/.test(block)))('%s', async (block) => {
    const gateway = await startNodeGateway({ MCP_SERVER_API_KEY: 'key-of-the-readme' });
    const command = block
      .replace('MCP_SERVER_API_KEY=…', 'MCP_SERVER_API_KEY=key-of-the-readme')
      .replaceAll('http://localhost:8000', gateway.url)
      .replaceAll('<MCP_SERVER_API_KEY>', 'key-of-the-readme');
    const path = `${fileURLToPath(new URL('../node_modules/.bin', import.meta.url))}:${process.env.PATH}`;
    const env = { ...process.env, PATH: path };
    const { stdout } = await promisify(execFile)('bash', ['-c', command], { env });
    await gateway.close();
    expect(stdout).toMatch(/list_supported_models|"capability":\s*"chat"/);
  });

  test('a Node that is too old is told', async () => {
    // npm runs the script with the Node that it has just installed, and tells of its own.
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

test("the README's HTTP table has exactly the routes", () => {
  const documented = table('HTTP').flatMap(([path = '', methods = '']) =>
    methods.split(', ').map((method) => `${method} ${path.slice(1, -1)}`),
  );
  const routes = createTestApp().app.routes.filter(({ method }) => method !== 'ALL');
  expect(documented.toSorted()).toEqual([...new Set(routes.map(({ method, path }) => `${method} ${path}`))].toSorted());
});

test("the README's settings of clients are those of the gateway's own page", () => {
  for (const { client, text } of clientSnippets('http://localhost:8000')) {
    if (client === 'Older clients') expect(read('README.md')).toContain(text);
    else expect(read('README.md').split(`\n### ${client}\n`)[1]?.split('\n### ')[0], client).toContain(text);
  }
});

test("the README's table of clients links to a section for each", () => {
  const sections = [...read('README.md').matchAll(/^### (.+)$/gm)].map(([, heading = '']) => heading.toLowerCase().replaceAll(' ', '-'));
  const linked = [...read('README.md').matchAll(/^\| [^|]+ \|[^|]+\| \[[^\]]+\]\(#([^)]+)\) \|$/gm)].map(([, anchor]) => anchor);
  expect(linked).toHaveLength(8);
  for (const anchor of linked) expect(sections).toContain(anchor);
});

test("the README's JSON is valid", () => {
  const blocks = [...read('README.md').matchAll(/```json\n([\s\S]*?)```/g)].map(([, text = '']) => text);
  expect(blocks.length).toBeGreaterThan(6);
  for (const block of blocks) expect(() => JSON.parse(block), block).not.toThrow();
});

test('links inside the README lead to its sections', () => {
  const anchors = [...read('README.md').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
  for (const [, anchor] of read('README.md').matchAll(/\]\(#([^)]+)\)/g)) expect(anchors).toContain(anchor);
});

test('links to files of the repository are not dead', () => {
  for (const [, target = ''] of read('README.md').matchAll(/\]\((?!https?:|#)([^)#]+)/g)) expect(() => read(target), target).not.toThrow();
});
