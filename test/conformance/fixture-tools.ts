import type { CallToolResult, Tool } from '@modelcontextprotocol/server';
import type { CompiledTool } from '../../src/mcp/compile-tool.ts';
import type { ToolContext } from '../../src/tools/tool.ts';

type FixtureTool = Readonly<{ definition: Tool; call: (context: ToolContext) => CallToolResult | Promise<CallToolResult> }>;

/** One red pixel. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
/** The header of a recording without samples. */
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=';
const PROGRESS_STEP_MS = 50;

/** Keywords of JSON Schema 2020-12 that a server may not lose (SEP-1613, SEP-2106). */
const JSON_SCHEMA_2020_12: Tool['inputSchema'] = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: {
    address: { $anchor: 'addressDef', type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
};

/** The tools that the scenarios of the conformance suite call, as `conformance list` and their descriptions want them. */
export const fixtureTools: readonly FixtureTool[] = [
  // The first, because some scenarios call the first tool there is, and the calls of the others are counted.
  fixture('json_schema_2020_12_tool', () => ({ content: [{ type: 'text', text: 'ok' }] }), JSON_SCHEMA_2020_12),
  fixture('test_simple_text', () => ({ content: [{ type: 'text', text: 'This is a simple text response for testing.' }] })),
  fixture('test_image_content', () => ({ content: [{ type: 'image', data: PNG, mimeType: 'image/png' }] })),
  fixture('test_audio_content', () => ({ content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }] })),
  fixture('test_embedded_resource', () => ({
    content: [
      {
        type: 'resource',
        resource: { uri: 'test://embedded-resource', mimeType: 'text/plain', text: 'This is an embedded resource content.' },
      },
    ],
  })),
  fixture('test_multiple_content_types', () => ({
    content: [
      { type: 'text', text: 'Multiple content types test:' },
      { type: 'image', data: PNG, mimeType: 'image/png' },
      {
        type: 'resource',
        resource: { uri: 'test://mixed-content-resource', mimeType: 'application/json', text: '{"test":"data","value":123}' },
      },
    ],
  })),
  fixture('test_error_handling', () => ({
    isError: true,
    content: [{ type: 'text', text: 'This tool intentionally returns an error for testing' }],
  })),
  fixture('test_tool_with_progress', async ({ progress, clock }) => {
    for (const percent of [0, 50, 100]) {
      progress(`${percent}%`, percent);
      await clock.sleep(PROGRESS_STEP_MS);
    }
    return { content: [{ type: 'text', text: 'Done.' }] };
  }),
];

/** With the contents that the suite wants, which no tool of the product has. */
export function compileFixtures(): CompiledTool[] {
  return fixtureTools.map(({ definition, call }) => ({
    definition,
    activity: definition.name,
    call: async (_args, context) => ({ result: await call(context), outcome: 'ok' }),
    collect: () => Promise.reject(new Error('It is no job.')),
    jobOf: async () => undefined,
  }));
}

function fixture(name: string, call: FixtureTool['call'], inputSchema: Tool['inputSchema'] = { type: 'object' }): FixtureTool {
  return { definition: { name, description: `Fixture of the conformance suite: ${name}`, inputSchema }, call };
}
