import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { expect, test } from 'vitest';
import { environmentSchema, loadConfig } from '../src/config.ts';
import { clientSnippets } from '../src/http/home-snippets.ts';
import { tools } from '../src/tools/index.ts';
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

test("the README's tools table has exactly the tools, with every argument", () => {
  const rows = table('Tools');
  expect(rows.map(([name]) => name)).toEqual(tools.map(({ name }) => `\`${name}\``));
  tools.forEach((tool, index) => {
    const documented = [...(rows[index]?.[2] ?? '').matchAll(/`(\w+)`/g)].map(([, argument]) => argument);
    expect(documented, tool.name).toEqual(Object.keys(tool.input.shape));
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

test('links to files of the repository are not dead', () => {
  for (const [, target = ''] of read('README.md').matchAll(/\]\((?!https?:|#)([^)#]+)/g)) expect(() => read(target), target).not.toThrow();
});
