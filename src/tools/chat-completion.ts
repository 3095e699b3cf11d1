import type { OpenAI } from 'openai';
import * as z from 'zod';
import { MAX_NESTING, MAX_PROGRESS_CHARACTERS } from '../limits.ts';
import { isNestedDeeper } from '../nesting.ts';
import { requireUpstream } from '../openai/call-upstream.ts';
import { type ChatRequest, type ChatResponse, createChat } from '../openai/chat.ts';
import { tokensOf } from '../openai/tokens.ts';
import { chatAmounts } from '../usage/amounts.ts';
import { chatEstimate } from '../usage/estimates.ts';
import { bill, costFields, costShape, estimateOf } from './billing.ts';
import { type ChatMessage, chatInput } from './chat-input.ts';
import { timeUpstream } from './measures.ts';
import { modelWarning, warningBlocks } from './model-warning.ts';
import { defineTool, omitUndefined, UNPUBLISHED } from './tool.ts';

type ChatInput = z.output<typeof chatInput>;

const FENCE = '```';

const chatOutput = z.object({
  text: z.string(),
  json: z.unknown().optional(),
  refusal: z.string().optional(),
  model: z.string(),
  finish_reason: z.string(),
  usage: z.looseObject({}).optional(),
  id: z.string(),
  ...costShape,
  warning: z.string().optional().meta(UNPUBLISHED),
});

export const chatCompletion = defineTool({
  name: 'chat_completion',
  title: 'Chat completion',
  description:
    'Ask another language model. Use it for a second opinion from a different model, to look at images you cannot see, for JSON that follows a schema, or to hand many small tasks to a cheaper model; not for what you can answer yourself. It knows nothing of your conversation: put all it needs into prompt (or messages). Example: {"prompt": "Review this SQL migration for data loss: …", "reasoning_effort": "high"}. Billed by the token, usually far less than an image.',
  activity: 'generating text',
  annotations: { destructiveHint: false },
  input: chatInput,
  aliases: { max_tokens: 'max_completion_tokens' },
  output: chatOutput,
  job: { runs: 'if_slow' },

  estimate(input, context) {
    const upstream = requireUpstream(context.upstreams, 'chat');
    const { model, service_tier: tier, ...request } = toRequest(input, upstream.model);
    const { texts, pictures } = contentOf(request.messages as ChatMessage[]);
    const amounts = chatEstimate({
      // The schema is billed as input, too.
      texts: input.json_schema ? [...texts, JSON.stringify(input.json_schema)] : texts,
      pictures,
      maxTokens: input.max_completion_tokens,
      thinksHard: ['high', 'xhigh', 'max'].includes(input.reasoning_effort ?? ''),
    });
    const cheaper = 'a cheaper model, fewer max_completion_tokens, less reasoning_effort or a shorter prompt';
    return estimateOf(context, upstream, { model, ways: [amounts], tier: tier ?? undefined }, cheaper);
  },

  async handler(input, context) {
    const upstream = requireUpstream(context.upstreams, 'chat');
    const request = toRequest(input, upstream.model);
    // Twice what is told, so that a secret at its start is found whole.
    const onText = (text: string) => context.progress(text.slice(-2 * MAX_PROGRESS_CHARACTERS));
    context.measure({ model: request.model });
    const options = { signal: context.signal, finish: context.isKept, ...(context.wantsProgress && { onText }) };
    const response = await timeUpstream(context, () => createChat(upstream, request, options));
    context.measure(tokensOf(response.usage));
    const amounts = chatAmounts(response.usage);
    const tier = response.serviceTier ?? request.service_tier ?? undefined;
    const cost = bill(context, upstream, { model: request.model, ways: amounts ? [amounts] : [], tier });
    return { ...toOutput(response, request), ...costFields(cost), ...modelWarning(context, upstream, request.model) };
  },

  present: ({ text, refusal, warning }) => [
    { type: 'text', text: text || refusal || '(The response is empty.)' },
    ...warningBlocks(warning),
  ],
});

/** OpenAI's request body, with only the arguments the caller has set. */
function toRequest(input: ChatInput, defaultModel: string): ChatRequest {
  const { prompt, messages, system_prompt, json_mode, json_schema, model, ...rest } = input;
  const conversation: ChatMessage[] = messages ?? [{ role: 'user', content: prompt ?? '' }];
  const all: ChatMessage[] = system_prompt ? [{ role: 'system', content: system_prompt }, ...conversation] : conversation;
  const body = { ...omitUndefined(rest), model: model ?? defaultModel };
  if (json_schema) return { ...body, messages: toParams(all), response_format: { type: 'json_schema', json_schema } };
  if (json_mode) return { ...body, messages: toParams(mentionJson(all)), response_format: { type: 'json_object' } };
  return { ...body, messages: toParams(all) };
}

/** The API rejects JSON mode unless the word JSON occurs in the messages. */
function mentionJson(messages: ChatMessage[]): ChatMessage[] {
  return messages.some(({ content }) => /json/i.test(textOf(content)))
    ? messages
    : [{ role: 'system', content: 'Answer with one JSON object.' }, ...messages];
}

function textOf(content: ChatMessage['content']): string {
  return typeof content === 'string' ? content : content.map((part) => (part.type === 'text' ? part.text : '')).join('\n');
}

/** What is estimated of a conversation. */
function contentOf(messages: readonly ChatMessage[]) {
  const pictures = messages.flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.filter(({ type }) => type === 'image_url'),
  );
  return { texts: messages.map(({ content }) => textOf(content)), pictures: pictures.length };
}

/** The input schema allows image parts in user messages only, which the inferred type does not show. */
function toParams(messages: ChatMessage[]): OpenAI.ChatCompletionMessageParam[] {
  return messages as OpenAI.ChatCompletionMessageParam[];
}

function toOutput({ id, model, text, refusal, finishReason, usage }: ChatResponse, request: ChatRequest): z.input<typeof chatOutput> {
  return {
    text,
    ...(request.response_format && parseJson(text)),
    ...(refusal && { refusal }),
    model: model ?? request.model,
    finish_reason: finishReason ?? 'unknown',
    ...(usage && { usage }),
    id,
  };
}

/**
 * Some models wrap JSON in a Markdown fence anyway. Truncated or refused output is not JSON: `json` is then omitted, and
 * `finish_reason` or `refusal` says why.
 */
function parseJson(text: string): { json: unknown } | undefined {
  const unfenced = unfence(text.trim());
  try {
    const json: unknown = JSON.parse(unfenced);
    return isNestedDeeper(json, MAX_NESTING) ? undefined : { json };
  } catch {
    return undefined;
  }
}

/** The text inside a Markdown fence. Not a regular expression, as those for it take quadratic time. */
function unfence(text: string): string {
  if (!text.startsWith(FENCE) || !text.endsWith(FENCE) || text.length < 2 * FENCE.length) return text;
  const inner = text.slice(FENCE.length, -FENCE.length);
  return (inner.startsWith('json') ? inner.slice('json'.length) : inner).trim();
}
