import type { OpenAI } from 'openai';
import * as z from 'zod';
import { MAX_CHAT_BODY_BYTES, MAX_NESTING } from '../limits.ts';
import { isNestedDeeper } from '../nesting.ts';
import type { SmallAnswer } from '../ports.ts';
import { callUpstream } from './call-upstream.ts';
import { collectChat } from './chat-stream.ts';
import { observe } from './observe.ts';
import { readJson, unexpectedBody } from './read-response.ts';
import type { Upstream } from './upstreams.ts';

export type ChatRequest = OpenAI.ChatCompletionCreateParamsNonStreaming;

export type ChatOptions = Readonly<{
  signal: AbortSignal;
  /** Finishes a request that is sent even if `signal` aborts. */
  finish: boolean;
  /** Requests a streamed response; called with the text so far about once a second. */
  onText?: ((textSoFar: string) => void) | undefined;
}>;

/** Some compatible servers return an array of parts, as in requests. */
const contentSchema = z.union([
  z.string(),
  z.array(z.looseObject({ text: z.string().optional() })).transform((parts) => parts.map(({ text = '' }) => text).join('')),
]);

/** Token counts; dropped when they are nested too deeply. */
export const usageSchema = z
  .looseObject({})
  .refine((usage) => !isNestedDeeper(usage, MAX_NESTING))
  .nullish()
  .catch(null);

/** Only the fields the tool needs; the rest may change without breaking it. */
const responseSchema = z.object({
  id: z.string().catch(''),
  model: z.string().optional().catch(undefined),
  choices: z.tuple(
    [
      z.object({
        finish_reason: z.string().nullish().catch(null),
        message: z.object({ content: contentSchema.nullish(), refusal: z.string().nullish().catch(null) }),
      }),
    ],
    z.unknown(),
  ),
  usage: usageSchema,
  service_tier: z.enum(['auto', 'default', 'flex', 'scale', 'priority', 'fast']).nullish().catch(null),
});

export type ChatResponse = Readonly<{
  id: string;
  model: string | undefined;
  text: string;
  refusal: string | undefined;
  finishReason: string | undefined;
  usage: Record<string, unknown> | undefined;
  /** Which one has served the request, and is billed. */
  serviceTier: string | undefined;
}>;

/** One chat completion (https://platform.openai.com/docs/api-reference/chat/create). */
export function createChat(upstream: Upstream, request: ChatRequest, options: ChatOptions): Promise<ChatResponse> {
  return observe(upstream, { operation: 'chat', model: request.model }, () => complete(upstream, request, options));
}

async function complete(upstream: Upstream, request: ChatRequest, options: ChatOptions): Promise<ChatResponse> {
  const raw = await callUpstream(upstream, { paid: true, signal: options.signal, finish: options.finish }, (signal) =>
    send(upstream, request, { ...options, signal }),
  );
  const response = responseSchema.safeParse(raw);
  if (!response.success) throw unexpectedBody(upstream, 'no chat message', true);
  const { id, model, choices, usage, service_tier } = response.data;
  const [{ message, finish_reason }] = choices;
  return {
    id,
    model,
    text: message.content ?? '',
    refusal: message.refusal ?? undefined,
    finishReason: finish_reason ?? undefined,
    usage: usage ?? undefined,
    serviceTier: service_tier ?? undefined,
  };
}

const SMALL_ANSWER = { redirect: 'manual', isSmallAnswer: true } as const satisfies RequestInit & SmallAnswer;

async function send(upstream: Upstream, request: ChatRequest, { signal, onText }: ChatOptions): Promise<unknown> {
  const { completions } = (await upstream.client()).chat;
  const limits = { paid: true, maxBytes: MAX_CHAT_BODY_BYTES };
  if (!onText) return readJson(await completions.create(request, { signal, fetchOptions: SMALL_ANSWER }).asResponse(), upstream, limits);
  const streamed = { ...request, stream: true, stream_options: { include_usage: true } } as const;
  const response = await completions.create(streamed, { signal }).asResponse();
  // Some servers ignore `stream` and return plain JSON.
  if (!response.headers.get('content-type')?.includes('text/event-stream')) return readJson(response, upstream, limits);
  return collectChat(response, { upstream, signal, onText });
}
