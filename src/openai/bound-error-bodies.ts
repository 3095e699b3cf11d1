import { ERROR_BODY_TIMEOUT_MS, MAX_ERROR_BODY_BYTES } from '../limits.ts';
import type { Clock } from '../ports.ts';
import { guardBody } from '../streams/body.ts';

/** Wraps `fetch` so that error bodies are read within limits; the client would read them to the end, at the server's pace. */
export function boundErrorBodies(fetch: typeof globalThis.fetch, clock: Clock): typeof globalThis.fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    if (response.ok || response.body === null) return response;
    const text = await readErrorText(response, clock);
    const headers = new Headers(response.headers);
    headers.delete('content-encoding');
    headers.delete('content-length');
    return new Response(text, { status: response.status, statusText: response.statusText, headers });
  };
}

/** As much of the body as arrives in time and within the limit. */
async function readErrorText(response: Response, clock: Clock): Promise<string> {
  const limits = { clock, maxBytes: MAX_ERROR_BODY_BYTES, timeoutMs: ERROR_BODY_TIMEOUT_MS, minBytesPerMinute: 0 };
  const reader = guardBody(response, { ...limits, toError: (problem) => new Error(problem) });
  const decoder = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      const chunk = await reader.read(new Uint8Array(MAX_ERROR_BODY_BYTES));
      if (chunk.byteLength === 0) return text + decoder.decode();
      text += decoder.decode(chunk, { stream: true });
    }
  } catch {
    return text;
  }
}
