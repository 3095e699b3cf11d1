export type DownloadLimits = Readonly<{ maxBytes: number; timeoutMs: number; signal?: AbortSignal }>;

/**
 * Reads the body at `url` into memory. Throws an `Error` whose message is fit for a client when the answer is not a
 * success, is longer than `maxBytes` or takes longer than `timeoutMs`.
 */
export async function download(
  fetch: (url: string, init: RequestInit) => Promise<Response>,
  url: string,
  { maxBytes, timeoutMs, signal }: DownloadLimits,
): Promise<Uint8Array<ArrayBuffer>> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const response = await fetch(url, { signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    throw new Error(`the download was answered with ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of response.body) {
    total += chunk.byteLength;
    if (total > maxBytes) throw new Error(`the download is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return concatenate(chunks, total);
}

function concatenate(chunks: readonly Uint8Array[], total: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(total);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return all;
}
