import type { OpenAI } from 'openai';
import { Stream } from 'openai/streaming';

/** An upstream's chunk, as far as it can be relied on. */
type Delta = { content?: string | null; refusal?: string | null };

/** A new piece of the answer may be told this often. */
const TELL_EVERY_MS = 1_000;

export type ChatStreamOptions = Readonly<{
  /** Of the request, for its logger. */
  client: OpenAI;
  signal: AbortSignal;
  onText: (textSoFar: string) => void;
  /** Milliseconds since the epoch. */
  now: () => number;
}>;

/**
 * Reads a streamed chat completion (https://platform.openai.com/docs/api-reference/chat-streaming) into the answer that
 * it would have been without streaming, and tells the text so far about once a second. A server that does not stream
 * has answered with the whole at once.
 */
export async function collectChat(response: Response, options: ChatStreamOptions): Promise<unknown> {
  if (!response.headers.get('content-type')?.includes('text/event-stream')) return response.json();
  const answer = await collect(Stream.fromSSEResponse(response, new AbortController(), options.client), options);
  // An aborted stream ends as if it were complete.
  options.signal.throwIfAborted();
  return answer;
}

async function collect(chunks: AsyncIterable<OpenAI.ChatCompletionChunk>, { onText, now }: ChatStreamOptions): Promise<unknown> {
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
