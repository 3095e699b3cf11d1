/**
 * The part of the README that describes every argument of every tool. `node test/readme.ts` writes it anew; a test holds
 * the README against it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { compileTool } from '../src/mcp/compile-tool.ts';
import { tools } from '../src/tools/index.ts';
import type { Tool } from '../src/tools/tool.ts';

type Schema = {
  type?: string;
  enum?: readonly string[];
  anyOf?: readonly Schema[];
  description?: string;
};

const README = new URL('../README.md', import.meta.url);
const BEGIN = '<!-- The tables are written by test/readme.ts. -->\n\n';
const END = '\n\n<!-- End of the tables. -->';

/** The section of the tools, as it ought to be. */
function toolTables(): string {
  return tools.map((tool) => table(tool as unknown as Tool)).join('\n\n');
}

function table(tool: Tool): string {
  const { name, description, inputSchema } = compileTool(tool, (value) => value).definition;
  const required = new Set((inputSchema.required as string[] | undefined) ?? []);
  const rows = Object.entries(inputSchema.properties ?? {}).map(([argument, value]) => {
    const schema = value as Schema;
    const meaning = [required.has(argument) ? '**Required.**' : '', schema.description ?? ''].filter(Boolean).join(' ');
    return `| \`${argument}\` | ${typeOf(schema)} | ${meaning} |`;
  });
  return [`### \`${name}\``, '', description, '', '| argument | type | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

function typeOf(schema: Schema): string {
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(' or ');
  return schema.type ?? 'any';
}

/** The README with these tables in it. */
export function withTables(readme: string): string {
  const [before, after] = [readme.indexOf(BEGIN) + BEGIN.length, readme.lastIndexOf(END)];
  return `${readme.slice(0, before)}${toolTables()}${readme.slice(after)}`;
}

if (import.meta.main) writeFileSync(README, withTables(readFileSync(README, 'utf8')));
