/**
 * The part of docs/tools.md that describes every argument of every tool. `npx node test/readme.ts` regenerates it; a
 * test compares the file with it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { compileTool } from '../src/mcp/compile-tool.ts';
import { tools } from '../src/tools/index.ts';
import type { Tool } from '../src/tools/tool.ts';

type Schema = {
  type?: string;
  enum?: readonly string[];
  items?: Schema;
  description?: string;
};

const TOOLS_PAGE = new URL('../docs/tools.md', import.meta.url);
const BEGIN = '<!-- The tables are written by test/readme.ts. -->\n\n';
const END = '\n\n<!-- End of the tables. -->';

/** The generated section, from the tools' schemas. */
function toolTables(): string {
  return tools.map((tool) => table(tool as unknown as Tool)).join('\n\n');
}

function table(tool: Tool): string {
  const { name, description, inputSchema } = compileTool(tool, {
    mask: (value) => value,
    defaultWaitMs: 0,
    inlinePreview: false,
  }).definition;
  const required = new Set((inputSchema.required as string[] | undefined) ?? []);
  const rows = Object.entries(inputSchema.properties ?? {}).map(([argument, value]) => {
    const schema = value as Schema;
    const meaning = [required.has(argument) ? '**Required.**' : '', schema.description ?? ''].filter(Boolean).join(' ');
    return `| \`${argument}\` | ${typeOf(schema)} | ${meaning} |`;
  });
  return [`## \`${name}\``, '', description, '', '| argument | type | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

function typeOf(schema: Schema): string {
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.items?.type) return `array of ${schema.items.type}s`;
  return schema.type ?? 'any';
}

/** The page with up-to-date tables. */
export function withTables(page: string): string {
  const [before, after] = [page.indexOf(BEGIN) + BEGIN.length, page.lastIndexOf(END)];
  return `${page.slice(0, before)}${toolTables()}${page.slice(after)}`;
}

if (import.meta.main) writeFileSync(TOOLS_PAGE, withTables(readFileSync(TOOLS_PAGE, 'utf8')));
