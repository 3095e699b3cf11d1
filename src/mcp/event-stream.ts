import { every } from '../every.ts';
import type { Clock } from '../ports.ts';

/** Proxies must pass each event on as it comes. */
const HEADERS = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' };

/** What may wait for a client that has stopped reading: twice the largest request. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;

/** A comment, which clients skip (HTML Standard, server-sent events). */
export const HEARTBEAT = encode(': keep-alive\n\n');

export type EventStreamOptions = Readonly<{
  clock: Clock;
  /** Told when the client has closed the stream, or does not read it. */
  onGone: () => void;
}>;

export type EventStream = Readonly<{
  response: Response;
  write: (frame: Uint8Array) => void;
  /** Writes a comment whenever nothing has been written for `ms`, as long as that is needed and the stream has not ended. */
  heartbeat: (ms: number, isNeeded: () => boolean) => Promise<void>;
  end: () => void;
}>;

/** One event. JSON has no line breaks of its own, so one line of data holds it. */
export function encodeEvent(event: string, data: string): Uint8Array<ArrayBuffer> {
  return encode(`event: ${event}\ndata: ${data}\n\n`);
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** A response that is written piece by piece. */
export function createEventStream({ clock, onGone }: EventStreamOptions): EventStream {
  const ended = new AbortController();
  let lastMs = clock.now();
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  function gone(): void {
    ended.abort();
    onGone();
  }

  function write(frame: Uint8Array): void {
    if (ended.signal.aborted) return;
    lastMs = clock.now();
    if ((controller?.desiredSize ?? 0) < -MAX_UNREAD_BYTES) drop();
    else controller?.enqueue(frame);
  }

  /** A client that does not read is as good as gone; what waits for it is forgotten. */
  function drop(): void {
    controller?.error(new Error('The client does not read.'));
    gone();
  }

  const source = {
    start(started: ReadableStreamDefaultController<Uint8Array>) {
      controller = started;
    },
    cancel: gone,
  };
  const body = new ReadableStream<Uint8Array>(source, new ByteLengthQueuingStrategy({ highWaterMark: 0 }));
  return {
    response: new Response(body, { headers: HEADERS }),
    write,
    heartbeat: (ms, isNeeded) => every(clock, { ms, sinceMs: () => lastMs, signal: ended.signal, isNeeded }, () => write(HEARTBEAT)),
    end() {
      if (!ended.signal.aborted) controller?.close();
      ended.abort();
    },
  };
}
