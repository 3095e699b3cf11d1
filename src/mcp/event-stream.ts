/** Servers and proxies must pass each event on as it comes. */
export const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

/** A comment, which clients skip (HTML Standard, server-sent events). */
export const KEEP_ALIVE = encodeText(': keep-alive\n\n');

/** One event. JSON has no line breaks of its own, so one line of data holds it. */
export function encodeEvent(event: string, data: string): Uint8Array {
  return encodeText(`event: ${event}\ndata: ${data}\n\n`);
}

function encodeText(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
