import { readdirSync, readFileSync } from 'node:fs';
import { check } from 'recheck';
import { expect, test } from 'vitest';

/** What stands between regular expressions in TypeScript, such as the first line of a command, and them. A slash after an operand divides; there are none here. */
const TOKEN =
  /^#![^\n]*|\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`|(?<=(?:[(,=:[!&|?{};>]|return)\s*)\/(?<source>(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/(?<flags>[a-z]*)/g;

const root = new URL('../src/', import.meta.url);
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

const found = files.flatMap((file) =>
  [...readFileSync(new URL(file, root), 'utf8').matchAll(TOKEN)].flatMap(({ groups }) =>
    groups?.source === undefined ? [] : [{ file, source: groups.source, flags: groups.flags ?? '' }],
  ),
);

test('the search finds every expression that is used at once', () => {
  const uses = files.flatMap(
    (file) =>
      readFileSync(new URL(file, root), 'utf8').match(/\.(?:replace|regex|split|match)\(\s*\/|\/[dgimsuvy]*\.(?:exec|test)\(/g) ?? [],
  );
  expect(uses.length).toBeGreaterThan(20);
  expect(found.length).toBeGreaterThanOrEqual(uses.length);
});

test.each(found)('$file: /$source/$flags takes linear time', async ({ source, flags }) => {
  const result = await check(source, flags, { timeout: 200_000, randomSeed: 1 });
  expect(result.status).toBe('safe');
  // Of patterns that are safe, it calls those linear whose time grows with the text, and safe those whose time does not.
  if ('complexity' in result) expect(result.complexity).toMatchObject({ type: expect.stringMatching(/^(safe|linear)$/) });
});
