import * as z from 'zod';
import { modelArgument, publishedAs } from './tool.ts';

const URL_RULE = 'must be an http(s) or data:image URL';
const CONTENT_RULE = 'must be a string, or a list of text and image_url parts';

// The test comes before the parser, which takes any scheme.
const imageUrl = z.string().refine((url) => /^(https?:\/\/|data:image\/)/i.test(url) && URL.canParse(url), URL_RULE);

const textPart = z.strictObject({ type: z.literal('text'), text: z.string() });

const imagePart = z.strictObject({
  type: z.literal('image_url'),
  image_url: z.strictObject({ url: imageUrl, detail: z.enum(['auto', 'low', 'high', 'original']).optional() }),
});

const content = z.union([z.string(), z.array(z.discriminatedUnion('type', [textPart, imagePart])).min(1)], CONTENT_RULE);

type Content = z.output<typeof content>;

/** A message as OpenAI defines it, or with its images in a list of their own, which is all that `tools/list` shows. */
const message = z
  .strictObject({
    role: z.enum(['system', 'developer', 'user', 'assistant']),
    content: content.meta(publishedAs({ type: 'string' })).optional(),
    image_urls: z.array(imageUrl).optional().describe('http(s) or data: URLs of images to look at, in user messages only.'),
  })
  .refine((given) => given.content !== undefined || (given.image_urls ?? []).length > 0, {
    path: ['content'],
    message: 'is required, unless there are image_urls',
  })
  .refine((given) => given.role === 'user' || !hasImages(given), {
    path: ['content'],
    message: 'images are allowed in user messages only',
  })
  .transform(({ role, content: given = '', image_urls = [] }) => ({ role, content: withImages(given, image_urls) }));

function hasImages(given: { content?: Content | undefined; image_urls?: string[] | undefined }): boolean {
  const parts = Array.isArray(given.content) ? given.content : [];
  return (given.image_urls ?? []).length > 0 || parts.some(({ type }) => type === 'image_url');
}

function withImages(given: Content, urls: readonly string[]): Content {
  if (urls.length === 0) return given;
  const text = typeof given === 'string' ? [{ type: 'text' as const, text: given }] : given;
  return [...(given === '' ? [] : text), ...urls.map((url) => ({ type: 'image_url' as const, image_url: { url } }))];
}

export type ChatMessage = z.output<typeof message>;

const namedSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 letters, digits, "_" or "-"')
    .default('response'),
  description: z.string().exactOptional(),
  schema: z.record(z.string(), z.unknown()),
  strict: z.boolean().exactOptional(),
});

/**
 * Accepts a bare JSON Schema, OpenAI's `{name, schema, strict}`, and a whole `response_format`, which models often
 * write. JSON Schema has no `schema` keyword, which distinguishes the forms.
 */
const jsonSchema = z
  .preprocess((value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    if ('type' in value && value.type === 'json_schema') return 'json_schema' in value ? value.json_schema : {};
    return 'schema' in value ? value : { schema: value };
  }, namedSchema)
  .meta(publishedAs({ type: 'object', additionalProperties: true }));

const STOP_RULE = 'must be a list of 1 to 4 strings';

const penalty = (what: string) => z.number().min(-2).max(2).optional().describe(`-2 to 2; above 0 it ${what}.`);

/**
 * The arguments of chat_completion; names and limits are those of OpenAI's API.
 * https://platform.openai.com/docs/api-reference/chat/create
 */
export const chatInput = z
  .strictObject({
    prompt: z.string().min(1).optional().describe('The question or task. Pass either prompt or messages.'),
    messages: z.array(message).min(1).optional().describe('A conversation instead of prompt, oldest message first.'),
    system_prompt: z.string().min(1).optional().describe('Instructions placed before the conversation.'),
    model: modelArgument,
    json_mode: z.boolean().optional().describe('Respond with one JSON object, also returned parsed in json.'),
    json_schema: jsonSchema
      .optional()
      .describe('JSON Schema that the response must follow, also as {name, schema, strict}; the parsed response is in json.'),
    temperature: z.number().min(0).max(2).optional().describe('0 (focused) to 2 (varied). Reasoning models reject it.'),
    top_p: z.number().min(0).max(1).optional().describe('0 to 1: nucleus sampling.'),
    frequency_penalty: penalty('repeats itself less'),
    presence_penalty: penalty('changes the topic more'),
    max_completion_tokens: z.int().min(1).optional().describe('Maximum tokens to generate, including reasoning.'),
    stop: z.array(z.string().min(1)).min(1, STOP_RULE).max(4, STOP_RULE).optional().describe('Up to 4 sequences that end the response.'),
    seed: z.int().optional().describe('The same seed gives similar responses.'),
    logit_bias: z
      .record(z.string().regex(/^\d+$/, 'must be a token id'), z.int().min(-100).max(100))
      .optional()
      .describe('Token id to bias, -100 to 100.'),
    reasoning_effort: z
      .enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'])
      .optional()
      .describe('How long to think: low is fast and cheap; high and above for hard problems. Thinking is billed as output.'),
    verbosity: z.enum(['low', 'medium', 'high']).optional().describe('Length of the response.'),
    service_tier: z
      .enum(['auto', 'default', 'flex', 'scale', 'priority', 'fast'])
      .optional()
      .describe('flex is cheaper and slower; priority and fast the opposite.'),
    store: z.boolean().optional().describe("Keep the response in the OpenAI account's log."),
    safety_identifier: z.string().min(1).max(64).optional().describe('Hashed user id.'),
    metadata: z
      .record(z.string().min(1).max(64), z.string().max(512))
      .refine((pairs) => Object.keys(pairs).length <= 16, { message: 'must have at most 16 pairs' })
      .optional()
      .describe('Up to 16 pairs for the log.'),
  })
  .refine(({ prompt, messages }) => (prompt === undefined) !== (messages === undefined), {
    path: ['prompt'],
    message: 'pass exactly one of prompt and messages',
  });
