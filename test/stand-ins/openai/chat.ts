import { z } from 'zod';
import { ApiError, parseBody } from './errors.ts';
import { assertModel, isAudioModel, isReasoningModel } from './models.ts';
import { sayIn, VOICES } from './speech.ts';

const textPart = z.strictObject({ type: z.literal('text'), text: z.string() });
const imagePart = z.strictObject({
  type: z.literal('image_url'),
  image_url: z.strictObject({ url: z.string().min(1), detail: z.enum(['auto', 'low', 'high', 'original']).optional() }),
});
const texts = z.union([z.string(), z.array(textPart).min(1)]);

const message = z.discriminatedUnion('role', [
  z.strictObject({ role: z.enum(['system', 'developer', 'assistant']), content: texts, name: z.string().optional() }),
  z.strictObject({
    role: z.literal('user'),
    content: z.union([z.string(), z.array(z.union([textPart, imagePart])).min(1)]),
    name: z.string().optional(),
  }),
]);

const responseFormat = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    json_schema: z.strictObject({
      name: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/),
      description: z.string().optional(),
      schema: z.record(z.string(), z.unknown()).optional(),
      strict: z.boolean().nullish(),
    }),
  }),
]);

const body = z.strictObject({
  messages: z.array(message).min(1),
  model: z.string(),
  response_format: responseFormat.optional(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  stop: z.union([z.string(), z.array(z.string()).min(1).max(4)]).nullish(),
  seed: z.int().nullish(),
  logit_bias: z.record(z.string(), z.int().min(-100).max(100)).nullish(),
  reasoning_effort: z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']).nullish(),
  verbosity: z.enum(['low', 'medium', 'high']).nullish(),
  service_tier: z.enum(['auto', 'default', 'flex', 'scale', 'priority', 'fast']).nullish(),
  store: z.boolean().nullish(),
  safety_identifier: z.string().max(64).nullish(),
  metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.strictObject({ include_usage: z.boolean().optional() }).nullish(),
  n: z.int().min(1).max(128).nullish(),
  user: z.string().optional(),
  modalities: z.array(z.enum(['text', 'audio'])).nullish(),
  audio: z
    .strictObject({
      voice: z.union([z.enum(VOICES), z.strictObject({ id: z.string().regex(/^voice_/) })]),
      format: z.enum(['wav', 'aac', 'mp3', 'flac', 'opus', 'pcm16']),
    })
    .nullish(),
});
type ChatBody = z.output<typeof body>;

/** POST /chat/completions: an answer that repeats the question, or follows the asked format. */
export function completeChat(raw: unknown): Response {
  const request = parseBody(body, raw);
  assertModel(request.model);
  assertSupported(request);
  if (request.modalities?.includes('audio')) return Response.json(speak(request));
  const answer = makeAnswer(request);
  return request.stream ? streamAnswer(request, answer) : Response.json(toCompletion(request, answer));
}

/** A model with audio reads what it is given; with `[misread]` in it, it leaves out the last word. */
function speak(request: ChatBody): object {
  const text = textOf(request.messages.at(-1)?.content ?? '');
  const transcript = text.includes('[misread]') ? text.split(/\s+/).slice(0, -1).join(' ') : text;
  const data = Buffer.from(sayIn(request.audio?.format === 'pcm16' ? 'pcm' : (request.audio?.format ?? 'mp3'), text)).toString('base64');
  const audio = { id: `audio_${crypto.randomUUID()}`, expires_at: nowSeconds() + 3600, data, transcript };
  const completion = toCompletion(request, { content: null, refusal: null, finishReason: 'stop' }) as { choices: { message: object }[] };
  return { ...completion, choices: completion.choices.map((choice) => ({ ...choice, message: { ...choice.message, audio } })) };
}

function assertSupported(request: ChatBody): void {
  const speaks = isAudioModel(request.model);
  if (speaks !== (request.modalities?.includes('audio') ?? false) || speaks !== (request.audio != null))
    throw new ApiError(400, 'This model requires that either input content or output modality contain audio.', 'invalid_value', 'model');
  if (isReasoningModel(request.model)) {
    if (request.max_tokens)
      throw unsupported(
        'max_tokens',
        `Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.`,
      );
    if (request.temperature != null && request.temperature !== 1)
      throw unsupported('temperature', `Unsupported value: 'temperature' does not support ${request.temperature} with this model.`);
  }
  if (request.response_format?.type === 'json_object' && !/json/i.test(JSON.stringify(request.messages))) {
    throw new ApiError(
      400,
      "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
      null,
      'messages',
    );
  }
}

function unsupported(param: string, text: string): ApiError {
  return new ApiError(400, text, 'unsupported_parameter', param);
}

type Answer = { content: string | null; refusal: string | null; finishReason: 'stop' | 'length' };

function makeAnswer(request: ChatBody): Answer {
  const question = textOf(request.messages.at(-1)?.content ?? '');
  if (question.includes('[refuse]')) return { content: null, refusal: 'I cannot help with that.', finishReason: 'stop' };
  const format = request.response_format;
  const whole =
    format?.type === 'json_object'
      ? JSON.stringify({ answer: question })
      : format?.type === 'json_schema'
        ? JSON.stringify(exampleOf(format.json_schema.schema ?? {}))
        : `The stand-in was asked: ${question}`;
  const limit = request.max_completion_tokens ?? request.max_tokens ?? Number.POSITIVE_INFINITY;
  const words = whole.match(/\S+\s*/g) ?? [];
  return words.length <= limit
    ? { content: whole, refusal: null, finishReason: 'stop' }
    : { content: words.slice(0, limit).join(''), refusal: null, finishReason: 'length' };
}

function textOf(content: ChatBody['messages'][number]['content']): string {
  if (typeof content === 'string') return content;
  return content.map((part) => (part.type === 'text' ? part.text : `[image ${part.image_url.url.slice(0, 60)}]`)).join(' ');
}

/** The smallest value that follows the parts of JSON Schema that structured outputs allow. */
function exampleOf(schema: Record<string, unknown>): unknown {
  if (Array.isArray(schema.enum)) return schema.enum[0];
  if (schema.type === 'object' || schema.properties) {
    const properties = (schema.properties ?? {}) as Record<string, Record<string, unknown>>;
    return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, exampleOf(value)]));
  }
  if (schema.type === 'array') return [exampleOf((schema.items ?? {}) as Record<string, unknown>)];
  if (schema.type === 'number' || schema.type === 'integer') return 1;
  if (schema.type === 'boolean') return true;
  return 'text';
}

/** Speech has 20 tokens a second, of about 15 characters, besides those of its transcript. `[cached 5]` in a message: 5 are cached. */
function usageOf(request: ChatBody, { content, refusal }: Answer): object {
  const text = JSON.stringify(request.messages);
  const prompt_tokens = Math.ceil(text.length / 4);
  const cached_tokens = Number(/\[cached (\d+)\]/.exec(text)?.[1] ?? 0);
  const spoken = request.audio ? textOf(request.messages.at(-1)?.content ?? '') : '';
  const audio_tokens = Math.ceil((spoken.length / 15) * 20);
  const limit = request.max_completion_tokens ?? request.max_tokens ?? Number.POSITIVE_INFINITY;
  const completion_tokens = Math.min(limit, Math.ceil((content ?? refusal ?? spoken).length / 4)) + audio_tokens;
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    prompt_tokens_details: { cached_tokens, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens },
  };
}

/** The tier that has served a request. */
function tierOf({ service_tier: tier }: ChatBody): string {
  if (tier === 'fast' || tier === 'priority') return 'priority';
  return tier === 'flex' ? 'flex' : 'default';
}

function toCompletion(request: ChatBody, answer: Answer): object {
  const message = { role: 'assistant', content: answer.content, refusal: answer.refusal, annotations: [] };
  const choices = [{ index: 0, message, logprobs: null, finish_reason: answer.finishReason }];
  return {
    id: newId(),
    object: 'chat.completion',
    created: nowSeconds(),
    model: `${request.model}-stand-in`,
    choices,
    usage: usageOf(request, answer),
    service_tier: tierOf(request),
  };
}

function streamAnswer(request: ChatBody, answer: Answer): Response {
  const common = {
    id: newId(),
    object: 'chat.completion.chunk',
    created: nowSeconds(),
    model: `${request.model}-stand-in`,
    service_tier: tierOf(request),
  };
  const chunk = (delta: object, finish_reason: string | null = null) => ({
    ...common,
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
  });
  const deltas = answer.refusal
    ? [{ refusal: answer.refusal }]
    : ((answer.content ?? '').match(/\S+\s*/g) ?? []).map((content) => ({ content }));
  const events = [
    chunk({ role: 'assistant', content: '', refusal: null }),
    ...deltas.map((delta) => chunk(delta)),
    chunk({}, answer.finishReason),
    ...(request.stream_options?.include_usage ? [{ ...common, choices: [], usage: usageOf(request, answer) }] : []),
  ];
  const text = `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}data: [DONE]\n\n`;
  return new Response(text, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } });
}

function newId(): string {
  return `chatcmpl-${crypto.randomUUID()}`;
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
