import { EVENT_STREAM_HEADERS, encodeEvent, KEEP_ALIVE } from './event-stream.ts';

type Options = Readonly<{
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** How long the connection may be silent. */
  keepAliveMs: number;
}>;

/**
 * The answer as it is when it comes soon, usually plain JSON. One that takes longer becomes an event stream of
 * keep-alive comments that ends with it, so that nothing between here and the client takes the connection for dead.
 */
export async function breakSilence(answer: Promise<Response>, options: Options): Promise<Response> {
  const isAnswered = new AbortController();
  const silence = options.sleep(options.keepAliveMs, isAnswered.signal).catch(() => undefined);
  const first = await Promise.race([answer, silence]).finally(() => isAnswered.abort());
  return first ?? new Response(streamUntil(answer, options), { headers: EVENT_STREAM_HEADERS });
}

function streamUntil(answer: Promise<Response>, { sleep, keepAliveMs }: Options): ReadableStream<Uint8Array> {
  const ended = new AbortController();

  async function beat(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (!ended.signal.aborted) {
      controller.enqueue(KEEP_ALIVE);
      await sleep(keepAliveMs, ended.signal);
    }
  }

  async function end(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const text = await (await answer).text();
    if (ended.signal.aborted) return;
    ended.abort();
    if (text !== '') controller.enqueue(encodeEvent('message', text));
    controller.close();
  }

  return new ReadableStream({
    start(controller) {
      // Ends by the rejection of its sleep.
      beat(controller).catch(() => {});
      end(controller).catch((error) => controller.error(error));
    },
    // The work itself is stopped by the request's signal.
    cancel: () => ended.abort(),
  });
}
