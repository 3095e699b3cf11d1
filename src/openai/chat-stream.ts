import type { OpenAI } from 'openai';
import { Stream } from 'openai/streaming';
import { MAX_CHAT_BODY_BYTES } from '../limits.ts';
import { guardBody } from '../streams/body.ts';
import { streamOf } from '../streams/byte-reader.ts';
import { bodyOptions } from './read-response.ts';
import type { Upstream } from './upstreams.ts';

/** The fields of a chunk's delta that are used. */
type Delta = { content?: string | null; refusal?: string | null };

/** The shortest time between two calls of `onText`. */
const REPORT_INTERVAL_MS = 1_000;

export type ChatStreamOptions = Readonly<{
  upstream: Upstream;
  signal: AbortSignal;
  onText: (textSoFar: string) => void;
}>;

/**
 * Collects a streamed chat completion (https://platform.openai.com/docs/api-reference/chat-streaming) into the equivalent
 * non-streamed response, and reports the text so far about once a second.
 */
export async function collectChat(response: Response, options: ChatStreamOptions): Promise<unknown> {
  const { upstream, signal } = options;
  // Tokens may arrive slowly; the call as a whole has a time limit.
  const limits = bodyOptions(upstream, { paid: true, maxBytes: MAX_CHAT_BODY_BYTES, minBytesPerMinute: 0 });
  const bounded = new Response(streamOf(guardBody(response, limits)), response);
  const result = await collect(Stream.fromSSEResponse(bounded, new AbortController(), await upstream.client()), options);
  // The client ends an aborted stream without an error.
  signal.throwIfAborted();
  return result;
}

async function collect(chunks: AsyncIterable<OpenAI.ChatCompletionChunk>, { onText, upstream }: ChatStreamOptions): Promise<unknown> {
  const { now } = upstream.clock;
  let first: OpenAI.ChatCompletionChunk | undefined;
  let usage: unknown;
  let tier: unknown;
  let finishReason: string | null = null;
  let content = '';
  let refusal = '';
  let reportedMs = now();
  for await (const chunk of chunks) {
    const [choice] = chunk.choices ?? [];
    if (choice) first ??= chunk;
    usage = chunk.usage ?? usage;
    tier = chunk.service_tier ?? tier;
    finishReason = choice?.finish_reason ?? finishReason;
    const delta: Delta = choice?.delta ?? {};
    content += delta.content ?? '';
    refusal += delta.refusal ?? '';
    if (!delta.content || now() - reportedMs < REPORT_INTERVAL_MS) continue;
    reportedMs = now();
    onText(content);
  }
  const message = { content, refusal: refusal || null };
  return {
    id: first?.id,
    model: first?.model,
    usage,
    service_tier: tier,
    choices: first ? [{ finish_reason: finishReason, message }] : [],
  };
}
