import { type Clock, DONE } from '../ports.ts';
import { createEventStream, encodeEvent, HEARTBEAT } from './event-stream.ts';

export type StreamIfSlowOptions = Readonly<{
  clock: Clock;
  /** How long the connection may be silent. */
  heartbeatMs: number;
}>;

/**
 * Returns a fast response as it is, usually plain JSON. A slow one becomes an event stream of keep-alive comments that
 * ends with the response, so that no intermediary closes the connection as idle.
 */
export async function streamIfSlow(response: Promise<Response>, options: StreamIfSlowOptions): Promise<Response> {
  const settled = new AbortController();
  const silence = options.clock.sleep(options.heartbeatMs, settled.signal).catch(() => undefined);
  const first = await Promise.race([response, silence]).finally(() => settled.abort(DONE));
  return first ?? streamUntil(response, options);
}

function streamUntil(response: Promise<Response>, { clock, heartbeatMs }: StreamIfSlowOptions): Response {
  let late: ReadableStreamDefaultReader<Uint8Array> | undefined;
  let isDisconnected = false;
  const stream = createEventStream({ clock, onDisconnect });
  stream.write(HEARTBEAT);
  void stream.heartbeat(heartbeatMs, () => late === undefined);

  /** Pending work is cancelled by the request's signal. */
  function onDisconnect(): void {
    isDisconnected = true;
    late?.cancel().catch(() => {});
  }

  async function forward(): Promise<void> {
    late = (await framesOf(await response)).getReader();
    if (isDisconnected) return onDisconnect();
    for (let chunk = await late.read(); !chunk.done; chunk = await late.read()) stream.write(chunk.value);
  }

  forward()
    .catch(() => {})
    .finally(stream.end);
  return stream.response;
}

/** The response as events: it may already be an event stream, when progress precedes the result. */
async function framesOf(response: Response): Promise<ReadableStream<Uint8Array>> {
  const isEventStream = response.headers.get('content-type')?.startsWith('text/event-stream');
  const events = isEventStream ? response : new Response(toEvent(await response.text()));
  return events.body ?? new ReadableStream({ start: (controller) => controller.close() });
}

function toEvent(json: string): Uint8Array<ArrayBuffer> | null {
  return json === '' ? null : encodeEvent('message', json);
}
