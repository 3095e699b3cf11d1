import { every } from '../every.ts';
import { type Clock, DONE } from '../ports.ts';

/** Keeps proxies from buffering events. */
const HEADERS = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' };

/** Buffer limit for a client that has stopped reading: twice the largest request. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;

/** A comment, which clients ignore (HTML Standard, server-sent events). */
export const HEARTBEAT = encode(': keep-alive\n\n');

export type EventStreamOptions = Readonly<{
  clock: Clock;
  /** Called when the client closes the stream or stops reading it. */
  onDisconnect: () => void;
}>;

export type EventStream = Readonly<{
  response: Response;
  write: (frame: Uint8Array) => void;
  /** Resolves to whether the client has taken everything written so far. */
  flushed: () => Promise<boolean>;
  /** Writes a comment whenever nothing has been written for `ms`, while `isNeeded` holds and the stream is open. */
  heartbeat: (ms: number, isNeeded: () => boolean) => Promise<void>;
  end: () => void;
}>;

/** One event. Serialized JSON has no line breaks, so a single data line suffices. */
export function encodeEvent(event: string, data: string): Uint8Array<ArrayBuffer> {
  return encode(`event: ${event}\ndata: ${data}\n\n`);
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** A response that is written incrementally. */
export function createEventStream({ clock, onDisconnect }: EventStreamOptions): EventStream {
  const ended = new AbortController();
  let lastMs = clock.now();
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  /** Those who wait until everything written so far is taken. */
  let waiting: ((isTaken: boolean) => void)[] = [];

  function settle(isTaken: boolean): void {
    for (const resolve of waiting) resolve(isTaken);
    waiting = [];
  }

  function disconnect(): void {
    ended.abort(DONE);
    settle(false);
    onDisconnect();
  }

  function write(frame: Uint8Array): void {
    if (ended.signal.aborted) return;
    lastMs = clock.now();
    if ((controller?.desiredSize ?? 0) < -MAX_UNREAD_BYTES) drop();
    else controller?.enqueue(frame);
  }

  /** A client that does not read counts as disconnected; its buffer is discarded. */
  function drop(): void {
    controller?.error(new Error('The client is not reading the stream.'));
    disconnect();
  }

  const source = {
    start(started: ReadableStreamDefaultController<Uint8Array>) {
      controller = started;
    },
    // Asked for more than there is.
    pull: () => settle(true),
    cancel: disconnect,
  };
  const body = new ReadableStream<Uint8Array>(source, new ByteLengthQueuingStrategy({ highWaterMark: 0 }));
  return {
    response: new Response(body, { headers: HEADERS }),
    write,
    flushed() {
      if (ended.signal.aborted) return Promise.resolve(false);
      return new Promise((resolve) => waiting.push(resolve));
    },
    heartbeat: (ms, isNeeded) => every(clock, { ms, sinceMs: () => lastMs, signal: ended.signal, isNeeded }, () => write(HEARTBEAT)),
    end() {
      if (!ended.signal.aborted) controller?.close();
      ended.abort(DONE);
      settle(false);
    },
  };
}
