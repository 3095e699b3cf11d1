import type { OpenAI } from 'openai';
import { Stream } from 'openai/streaming';
import { MAX_CHAT_BODY_BYTES } from '../limits.ts';
import { guardBody } from '../streams/body.ts';
import { streamOf } from '../streams/byte-reader.ts';
import { bodyOptions } from './read-response.ts';
import type { Upstream } from './upstreams.ts';

/** An upstream's chunk, as far as it can be relied on. */
type Delta = { content?: string | null; refusal?: string | null };

/** A new piece of the answer may be told this often. */
const TELL_EVERY_MS = 1_000;

export type ChatStreamOptions = Readonly<{
  upstream: Upstream;
  signal: AbortSignal;
  onText: (textSoFar: string) => void;
}>;

/**
 * Reads a streamed chat completion (https://platform.openai.com/docs/api-reference/chat-streaming) into the response that
 * it would have been without streaming, and tells the text so far about once a second.
 */
export async function collectChat(response: Response, options: ChatStreamOptions): Promise<unknown> {
  const { upstream, signal } = options;
  // Tokens may come slowly; the call as a whole has a time limit.
  const limits = bodyOptions(upstream, { paid: true, maxBytes: MAX_CHAT_BODY_BYTES, minBytesPerMinute: 0 });
  const bounded = new Response(streamOf(guardBody(response, limits)), response);
  const result = await collect(Stream.fromSSEResponse(bounded, new AbortController(), upstream.client), options);
  // An aborted stream ends as if it were complete.
  signal.throwIfAborted();
  return result;
}

async function collect(chunks: AsyncIterable<OpenAI.ChatCompletionChunk>, { onText, upstream }: ChatStreamOptions): Promise<unknown> {
  const { now } = upstream.clock;
  let first: OpenAI.ChatCompletionChunk | undefined;
  let usage: unknown;
  let finishReason: string | null = null;
  let content = '';
  let refusal = '';
  let toldMs = now();
  for await (const chunk of chunks) {
    const [choice] = chunk.choices ?? [];
    if (choice) first ??= chunk;
    usage = chunk.usage ?? usage;
    finishReason = choice?.finish_reason ?? finishReason;
    const delta: Delta = choice?.delta ?? {};
    content += delta.content ?? '';
    refusal += delta.refusal ?? '';
    if (!delta.content || now() - toldMs < TELL_EVERY_MS) continue;
    toldMs = now();
    onText(content);
  }
  const message = { content, refusal: refusal || null };
  return { id: first?.id, model: first?.model, usage, choices: first ? [{ finish_reason: finishReason, message }] : [] };
}
