import type { Clock } from '../ports.ts';
import { createEventStream, encodeEvent, HEARTBEAT } from './event-stream.ts';

export type StreamIfSlowOptions = Readonly<{
  clock: Clock;
  /** How long the connection may be silent. */
  heartbeatMs: number;
}>;

/**
 * The answer as it is when it comes soon, usually plain JSON. One that takes longer becomes an event stream of
 * keep-alive comments that ends with it, so that nothing between here and the client takes the connection for dead.
 */
export async function streamIfSlow(answer: Promise<Response>, options: StreamIfSlowOptions): Promise<Response> {
  const isAnswered = new AbortController();
  const silence = options.clock.sleep(options.heartbeatMs, isAnswered.signal).catch(() => undefined);
  const first = await Promise.race([answer, silence]).finally(() => isAnswered.abort());
  return first ?? streamUntil(answer, options);
}

function streamUntil(answer: Promise<Response>, { clock, heartbeatMs }: StreamIfSlowOptions): Response {
  let late: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let isGone = false;
  const stream = createEventStream({ clock, onGone: leave });
  stream.write(HEARTBEAT);
  void stream.heartbeat(heartbeatMs, () => late === undefined);

  /** Work that has not been answered is stopped by the request's signal. */
  function leave(): void {
    isGone = true;
    late?.cancel().catch(() => {});
  }

  async function pass(): Promise<void> {
    late = (await framesOf(await answer)).getReader();
    if (isGone) return leave();
    for (let chunk = await late.read(); !chunk.done; chunk = await late.read()) stream.write(chunk.value);
  }

  pass()
    .catch(() => {})
    .finally(stream.end);
  return stream.response;
}

/** The answer as events: it may have become a stream itself, when it had something to tell before its result. */
async function framesOf(response: Response): Promise<ReadableStream<Uint8Array>> {
  const isEventStream = response.headers.get('content-type')?.startsWith('text/event-stream');
  const events = isEventStream ? response : new Response(toEvent(await response.text()));
  return events.body ?? new ReadableStream({ start: (controller) => controller.close() });
}

function toEvent(json: string): Uint8Array<ArrayBuffer> | null {
  return json === '' ? null : encodeEvent('message', json);
}
