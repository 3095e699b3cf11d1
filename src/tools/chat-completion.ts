import type { OpenAI } from 'openai';
import { z } from 'zod';
import { GatewayError } from '../errors.ts';
import { callUpstream, requireUpstream } from '../openai/call-upstream.ts';
import { collectChat } from '../openai/chat-stream.ts';
import type { Upstream } from '../openai/upstreams.ts';
import { type ChatMessage, chatInput } from './chat-input.ts';
import { defineTool, type ToolContext, whatIsSet } from './tool.ts';

type ChatInput = z.output<typeof chatInput>;
type ChatRequest = OpenAI.ChatCompletionCreateParamsNonStreaming;

/** The end of a long text is what is new in it. */
const MAX_PROGRESS_CHARACTERS = 1_000;

const chatOutput = z.object({
  text: z.string(),
  json: z.unknown().optional(),
  refusal: z.string().optional(),
  model: z.string(),
  finish_reason: z.string(),
  usage: z.looseObject({}).optional(),
  id: z.string(),
});

/** Some compatible servers answer with parts, as in requests. */
const contentSchema = z.union([
  z.string(),
  z.array(z.looseObject({ text: z.string().optional() })).transform((parts) => parts.map(({ text = '' }) => text).join('')),
]);

/** What is needed of the upstream's answer; anything else in it may change without breaking the tool. */
const answerSchema = z.object({
  id: z.string().catch(''),
  model: z.string().optional().catch(undefined),
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish().catch(null),
        message: z.object({ content: contentSchema.nullish(), refusal: z.string().nullish().catch(null) }),
      }),
    )
    .min(1),
  usage: z.looseObject({}).nullish().catch(null),
});

export const chatCompletion = defineTool({
  name: 'chat_completion',
  title: 'Chat completion',
  description:
    'Ask a language model. Give prompt (or messages for a conversation with images). Set json_mode or json_schema for a machine-readable answer in json. Each call is charged.',
  activity: 'answering',
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: false, openWorldHint: true },
  input: chatInput,
  output: chatOutput,

  async handler(input, context) {
    const upstream = requireUpstream(context.upstreams, 'chat');
    const request = toRequest(input, upstream.model);
    const raw = await callUpstream(upstream, { paid: true, signal: context.signal }, (signal) =>
      complete(upstream, request, signal, context),
    );
    return toOutput(raw, request, upstream);
  },

  present: ({ text, refusal }) => [{ type: 'text', text: text || refusal || '(The answer is empty.)' }],
});

/** Streams the answer when the client wants to see it grow. */
async function complete(upstream: Upstream, request: ChatRequest, signal: AbortSignal, context: ToolContext): Promise<unknown> {
  const { completions } = upstream.client.chat;
  if (!context.wantsProgress) return completions.create(request, { signal });
  const streamed = { ...request, stream: true, stream_options: { include_usage: true } } as const;
  const response = await completions.create(streamed, { signal }).asResponse();
  return collectChat(response, {
    client: upstream.client,
    signal,
    onText: (text) => context.progress(text.slice(-MAX_PROGRESS_CHARACTERS)),
    now: context.now,
  });
}

/** OpenAI's request body, with what the caller has set and nothing else. */
function toRequest(input: ChatInput, defaultModel: string): ChatRequest {
  const { prompt, messages, system_prompt, json_mode, json_schema, model, ...passedOn } = input;
  const conversation: ChatMessage[] = messages ?? [{ role: 'user', content: prompt ?? '' }];
  const all: ChatMessage[] = system_prompt ? [{ role: 'system', content: system_prompt }, ...conversation] : conversation;
  const body = { ...whatIsSet(passedOn), model: model ?? defaultModel };
  if (json_schema) return { ...body, messages: toParams(all), response_format: { type: 'json_schema', json_schema } };
  if (json_mode) return { ...body, messages: toParams(mentionJson(all)), response_format: { type: 'json_object' } };
  return { ...body, messages: toParams(all) };
}

/** JSON mode is refused by the API unless the word JSON occurs in the messages. */
function mentionJson(messages: ChatMessage[]): ChatMessage[] {
  return messages.some(({ content }) => /json/i.test(textOf(content)))
    ? messages
    : [{ role: 'system', content: 'Answer with one JSON object.' }, ...messages];
}

function textOf(content: ChatMessage['content']): string {
  return typeof content === 'string' ? content : content.map((part) => (part.type === 'text' ? part.text : '')).join('\n');
}

/** The input schema allows image parts in user messages only, which OpenAI's types cannot see. */
function toParams(messages: ChatMessage[]): OpenAI.ChatCompletionMessageParam[] {
  return messages as OpenAI.ChatCompletionMessageParam[];
}

function toOutput(raw: unknown, request: ChatRequest, upstream: Upstream): z.input<typeof chatOutput> {
  const answer = answerSchema.safeParse(raw);
  const choice = answer.data?.choices[0];
  if (!answer.success || !choice) {
    const { service, variables } = upstream;
    throw new GatewayError({ kind: 'upstream_answer', service, problem: 'it holds no chat message', paid: true, variables });
  }
  const text = choice.message.content ?? '';
  return {
    text,
    ...(request.response_format && parseJson(text)),
    ...(choice.message.refusal && { refusal: choice.message.refusal }),
    model: answer.data.model ?? request.model,
    finish_reason: choice.finish_reason ?? 'unknown',
    ...(answer.data.usage && { usage: answer.data.usage }),
    id: answer.data.id,
  };
}

/**
 * Some models put JSON into a Markdown fence all the same. A cut-off or refused answer is no JSON: then `json` is left
 * out, and `finish_reason` or `refusal` tells why.
 */
function parseJson(text: string): { json: unknown } | undefined {
  const unfenced = text.trim().replace(/^```(?:json)?\s*(.*?)\s*```$/s, '$1');
  try {
    return { json: JSON.parse(unfenced) };
  } catch {
    return undefined;
  }
}
