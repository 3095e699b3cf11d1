import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/errors.ts';
import { compileTool } from '../../src/mcp/compile-tool.ts';
import { tools } from '../../src/tools/index.ts';
import type { Tool } from '../../src/tools/tool.ts';

type Schema = Readonly<Record<string, unknown>>;

/** What OpenAI (without `strict`) and Gemini accept in function declarations, and Cursor in any tool. */
const KEYWORDS = new Set([
  ...['type', 'title', 'description', 'enum', 'format', 'default', 'properties', 'required', 'additionalProperties', 'items'],
  ...['minItems', 'maxItems', 'minLength', 'maxLength', 'pattern', 'minimum', 'maximum'],
]);
const TYPES = ['string', 'number', 'integer', 'boolean', 'array', 'object'];
/** JSON of any type, in a result. */
const UNTYPED = ['chat_completion output.json'];

/** The part of a tool's call that comes before its handler. */
const compiled = tools.map((tool) => {
  const checked = {
    ...(tool as unknown as Tool),
    handler: () => Promise.reject(new GatewayError({ kind: 'cancelled' })),
  };
  return compileTool(checked, (value) => value);
});
const definitions = compiled.map(({ definition }) => definition);

function* schemasOf(schema: Schema, path: string): Generator<[path: string, schema: Schema]> {
  yield [path, schema];
  const { properties = {}, items, additionalProperties } = schema as { properties?: Record<string, Schema>; [keyword: string]: unknown };
  for (const [name, property] of Object.entries(properties)) yield* schemasOf(property, `${path}.${name}`);
  if (typeof items === 'object') yield* schemasOf(items as Schema, `${path}[]`);
  if (typeof additionalProperties === 'object') yield* schemasOf(additionalProperties as Schema, `${path}{}`);
}

const schemas = definitions.flatMap(({ name, inputSchema, outputSchema }) => [
  ...schemasOf(inputSchema, `${name} input`),
  ...schemasOf(outputSchema ?? {}, `${name} output`),
]);

describe('published schemas are flat', () => {
  test.each(schemas)('%s', (path, schema) => {
    expect(Object.keys(schema).filter((keyword) => !KEYWORDS.has(keyword))).toEqual([]);
    if (!UNTYPED.includes(path)) expect(TYPES).toContain(schema.type);
    if (schema.type === 'array') expect(schema.items).toMatchObject({ type: expect.any(String) });
    if (schema.enum) expect((schema.enum as unknown[]).every((value) => typeof value === 'string')).toBe(true);
    expect(String(schema.pattern ?? '')).not.toMatch(/\(\?/);
    const required = (schema.required ?? []) as string[];
    expect(Object.keys(schema.properties ?? {})).toEqual(expect.arrayContaining(required));
  });

  test('nothing is required that another argument can replace', () => {
    const required = definitions.map(({ name, inputSchema }) => [name, inputSchema.required ?? []]);
    expect(Object.fromEntries(required)).toEqual({
      chat_completion: [],
      generate_image: ['prompt'],
      synthesize_speech: ['input'],
      generate_video: [],
      list_supported_models: [],
    });
  });
});
