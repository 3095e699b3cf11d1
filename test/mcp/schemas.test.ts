import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/errors.ts';
import { compileTool } from '../../src/mcp/compile-tool.ts';
import { tools } from '../../src/tools/index.ts';
import type { Tool, ToolContext } from '../../src/tools/tool.ts';
import { createMemoryAccounts } from '../../src/usage/accounts.ts';
import { createBudgets } from '../../src/usage/budgets.ts';
import { createCharge } from '../../src/usage/charge.ts';
import { createPace } from '../../src/usage/pace.ts';
import { createMemoryBook } from '../../src/usage/usage-book.ts';

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
    check: async () => {},
    estimate: () => ({ usd: 0, model: 'm', cheaper: '' }),
    handler: () => Promise.reject(new GatewayError({ kind: 'cancelled' })),
  };
  return compileTool(checked, { mask: (value) => value, defaultWaitMs: 0, inlinePreview: false });
});
/** All that is read of it before the handler. */
const context = { requestId: 'r', clock: Date, measures: {}, signal: new AbortController().signal } as unknown as ToolContext;
const caller = {
  principal: { id: 'p', name: 'p', limits: {} },
  rpcId: 1,
  delivered: async () => true,
  waitUntil: () => {},
  jobs: undefined,
  charge: createCharge(
    createBudgets(
      createMemoryAccounts(() => 'id'),
      undefined,
      Date,
    ),
    createMemoryBook(),
    Date,
  ),
  pace: createPace(Date),
};
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
      generate_image: [],
      edit_image: [],
      synthesize_speech: [],
      transcribe_audio: [],
      generate_video: [],
      create_upload: [],
      list_media: [],
      list_supported_models: [],
    });
  });
});

const ZOD_WORDING = /Too (small|big)|Invalid|expected|received|Unrecognized|undefined|NaN/;
const WRONG: readonly unknown[] = [
  ...[
    5,
    -1e9,
    1e9,
    1.5,
    1e300,
    true,
    [],
    {},
    [5],
    [null],
    [[]],
    [{}],
    { a: {} },
    { '': '' },
    { 5: 1e9 },
    { 5: 0.5 },
    { a: 'x'.repeat(600) },
  ],
  ...[' ', '*', 'x'.repeat(40_000), '9'.repeat(10), '-1', '0.5', ['a', 'b', 'c', 'd', 'e', 'f'], [' '], Object.fromEntries(pairs(17))],
  ...[[{ role: 'user' }], [{ role: 'user', content: [5] }], [{ role: 'user', content: [{ type: 'x' }] }], [{ role: 5, content: [] }]],
  ...[[{ role: 'user', content: [{ type: 'image_url' }] }], { type: 'json_schema' }, { type: 'json_schema', json_schema: { name: '' } }],
];

function pairs(count: number): [string, string][] {
  return Array.from({ length: count }, (_, index) => [`k${index}`, 'v']);
}

describe('every problem is in words of ours', () => {
  const required = {
    generate_image: { prompt: 'a' },
    edit_image: { prompt: 'a', images: ['https://x/y'] },
    synthesize_speech: { input: 'a' },
    transcribe_audio: { audio: 'https://x/y' },
  } as Record<string, object>;

  test.each(compiled.map((tool) => [tool.definition.name, tool] as const))('%s', async (name, tool) => {
    const names = [...Object.keys(tool.definition.inputSchema.properties ?? {}), 'unknown'];
    for (const argument of names) {
      let problems = 0;
      for (const value of WRONG) {
        const { result, outcome } = await tool.call({ ...required[name], [argument]: value }, context, caller);
        const text = result.content[0]?.type === 'text' ? result.content[0].text : '';
        expect(['invalid_input', 'cancelled'], `${argument} ${text}`).toContain(outcome);
        if (outcome !== 'invalid_input') continue;
        problems++;
        expect(text.replace('Invalid arguments: ', '')).not.toMatch(ZOD_WORDING);
        expect(text).toMatch(/^Invalid arguments: ([\w.[\]*{}-]+: [^;]+(; |\. ))+/);
      }
      expect(problems, argument).toBeGreaterThan(5);
    }
  });
});

test.each([
  [{ prompt: [] }, 'prompt: must be a string, not a list'],
  [{ prompt: 1.5 }, 'prompt: must be a string, not a number'],
  [{ prompt: 'a', logit_bias: { 5: 1e300 } }, 'logit_bias.5: must be at most 100'],
  [{ prompt: 'a', json_schema: { type: 'json_schema' } }, 'json_schema.schema: is required'],
])('one sentence is enough: %j', async (args, expected) => {
  const chat = compiled.find(({ definition }) => definition.name === 'chat_completion');
  const { content } = (await chat?.call(args, context, caller))?.result ?? {};
  expect(content).toMatchObject([{ text: expect.stringContaining(`Invalid arguments: ${expected}. `) }]);
});

describe('descriptions say when to call a tool and when not, show a call, and say what it costs', () => {
  test.each(compiled.map((tool) => [tool.definition.name, tool] as const))('%s', async (_, tool) => {
    const { description = '', annotations } = tool.definition;
    expect(description).toMatch(/Use it .*; not|Use it only/);
    expect(description).toMatch(/\bbilled\b|Billed|Free\./);
    expect(annotations?.readOnlyHint ?? false).toBe(!/billed/i.test(description));
    const [, example = ''] = /Example: (\{.*?\})\. /.exec(description) ?? [];
    expect((await tool.call(JSON.parse(example), context, caller)).outcome).toBe('cancelled');
  });
});

/** Models read the definitions in every conversation. */
const MAX_DEFINITION_CHARACTERS = 20_000;

test('the definitions of all tools leave room', () => {
  // Hosts read _meta; models do not.
  const left = MAX_DEFINITION_CHARACTERS - JSON.stringify(definitions.map((definition) => ({ ...definition, _meta: undefined }))).length;
  console.info(`The definitions of the tools are ${MAX_DEFINITION_CHARACTERS - left} characters of JSON; ${left} are left.`);
  expect(left).toBeGreaterThan(0);
});
