/** Proxies must pass each event on as it comes. */
const HEADERS = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' };

/** What may wait for a client that has stopped reading: twice the largest request. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;

/** A comment, which clients skip (HTML Standard, server-sent events). */
export const KEEP_ALIVE = encode(': keep-alive\n\n');

export type EventStreamOptions = Readonly<{
  /** Milliseconds since the epoch. */
  now: () => number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Told when the client has closed the stream, or does not read it. */
  onGone: () => void;
}>;

export type EventStream = Readonly<{
  response: Response;
  write: (frame: Uint8Array) => void;
  /** Writes a comment whenever nothing has been written for `ms`, as long as that is needed. */
  keepAlive: (ms: number, isNeeded: () => boolean) => Promise<void>;
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
export function createEventStream({ now, sleep, onGone }: EventStreamOptions): EventStream {
  const ended = new AbortController();
  let lastMs = now();
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  function gone(): void {
    ended.abort();
    onGone();
  }

  function write(frame: Uint8Array): void {
    if (ended.signal.aborted) return;
    lastMs = now();
    if ((controller?.desiredSize ?? 0) < -MAX_UNREAD_BYTES) drop();
    else controller?.enqueue(frame);
  }

  /** A client that does not read is as good as gone; what waits for it is forgotten. */
  function drop(): void {
    controller?.error(new Error('The client does not read.'));
    gone();
  }

  async function beat(ms: number, isNeeded: () => boolean): Promise<void> {
    while (!ended.signal.aborted && isNeeded()) {
      const leftMs = lastMs + ms - now();
      // More than `ms` is left when the clock has been set back.
      if (leftMs > 0 && leftMs <= ms) await sleep(leftMs, ended.signal);
      else write(KEEP_ALIVE);
    }
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
    // Ends by the rejection of its sleep at the latest.
    keepAlive: (ms, isNeeded) => beat(ms, isNeeded).catch(() => {}),
    end() {
      if (!ended.signal.aborted) controller?.close();
      ended.abort();
    },
  };
}
