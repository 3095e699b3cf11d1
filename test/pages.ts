import { globSync, readFileSync } from 'node:fs';

const root = new URL('..', import.meta.url);

/** A file of the repository, by its path from the root. */
export const read = (path: string) => readFileSync(new URL(path, root), 'utf8');

/** All sources, each as its text. */
export const sources = () => globSync('src/**/*.ts', { cwd: root }).map(read);

/** The documentation, except the changelog. */
export const pages = ['README.md', 'SECURITY.md', 'CONTRIBUTING.md', ...globSync('docs/*.md', { cwd: root }).sort()];

/** The text under this heading, up to the next one of the same level. */
export function section(path: string, heading: string): string {
  const level = heading.split(' ', 1)[0];
  return read(path).split(`\n${heading}\n`)[1]?.split(`\n${level} `)[0] ?? '';
}

/** The rows under this heading that begin with code, each as its cells. */
export function table(path: string, heading: string): string[][] {
  const rows = section(path, heading)
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The code blocks in this language. */
export function codeBlocks(path: string, language: string): string[] {
  return [...read(path).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, text = '']) => text);
}

/** The anchors that GitHub gives to a page's headings. */
export function anchors(path: string): string[] {
  const prose = read(path).replace(/^```[\s\S]*?^```/gm, '');
  return [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
}
