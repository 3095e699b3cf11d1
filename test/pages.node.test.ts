import { existsSync, readdirSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { environmentSchema } from '../src/config.ts';
import { anchors, codeBlocks, pages, read, section, sources } from './pages.ts';

test('the README stays under 250 lines', () => {
  expect(read('README.md').split('\n').length).toBeLessThan(250);
});

test('docs/architecture.md names every folder and every file at the top of src/', () => {
  const entries = readdirSync(new URL('../src', import.meta.url), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory());
  expect(folders.length).toBeGreaterThan(5);
  const layout = section('docs/architecture.md', '## Layout');
  const diagram = codeBlocks('docs/architecture.md', 'mermaid').join('\n');
  for (const { name } of folders) {
    expect(layout, name).toContain(`\`${name}/\``);
    expect(diagram, name).toContain(`${name}/`);
  }
  for (const { name } of entries.filter((entry) => entry.isFile())) expect(layout).toContain(`\`${name}\``);
});

test("CONTRIBUTING.md's examples are quoted from the code", () => {
  const examples = codeBlocks('CONTRIBUTING.md', 'ts');
  expect(examples).toHaveLength(3);
  for (const example of examples)
    expect(
      sources().some((source) => source.includes(example)),
      example,
    ).toBe(true);
});

test('every variable that the documentation names is one of the schema', () => {
  for (const path of pages) {
    const variables = [...read(path).matchAll(/(?<![\w$])(?:AZURE|MCP|OPENAI|S3|MEDIA)(?:_[A-Z]+)+(?![\w*])/g)].map(([name]) => name);
    for (const name of variables) expect(Object.keys(environmentSchema.shape), path).toContain(name);
  }
});

test('every file and folder of src/ and test/ that the documentation names exists', () => {
  for (const path of pages)
    for (const [name] of read(path).matchAll(/(?<![\w./-])(?:src|test)\/[\w/.-]*\w/g))
      expect(existsSync(new URL(`../${name}`, import.meta.url)), `${path}: ${name}`).toBe(true);
});

test('the documented JSON is valid', () => {
  const blocks = pages.flatMap((path) => codeBlocks(path, 'json'));
  expect(blocks.length).toBeGreaterThan(6);
  for (const block of blocks) expect(() => JSON.parse(block), block).not.toThrow();
});

test("the table of clients links to each client's section", () => {
  const linked = [...read('docs/clients.md').matchAll(/^\| [^|]+ \|[^|]+\| \[[^\]]+\]\(#([^)]+)\) \|$/gm)].map(([, anchor]) => anchor);
  expect(linked).toHaveLength(13);
  for (const anchor of linked) expect(anchors('docs/clients.md')).toContain(anchor);
});

describe('relative links lead to a file and a heading:', () => {
  const links = [...pages, 'CHANGELOG.md'].flatMap((path) =>
    [...read(path).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].map(([, target = '', anchor = '']) => ({
      path,
      target,
      anchor,
    })),
  );

  test.each(links)('$path -> $target#$anchor', ({ path, target, anchor }) => {
    const file = target === '' ? path : posix.join(posix.dirname(path), target);
    expect(() => read(file)).not.toThrow();
    if (anchor !== '') expect(anchors(file)).toContain(anchor);
  });
});
