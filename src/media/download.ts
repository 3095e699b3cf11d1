import { concatenate } from '../azure/byte-reader.ts';

/** Why a download was given up, in words that are fit for a client. */
export class DownloadError extends Error {
  override readonly name = 'DownloadError';
  /** Whether the same download may work a little later. */
  readonly passing: boolean;

  constructor(message: string, passing: boolean) {
    super(message);
    this.passing = passing;
  }
}

export type DownloadLimits = Readonly<{ maxBytes: number; timeoutMs: number; signal?: AbortSignal }>;

/**
 * Reads the body at `url` into memory. Throws a `DownloadError` when the answer is not a success or is longer than
 * `maxBytes`, and what `fetch` throws when it takes longer than `timeoutMs` or the connection fails.
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
    throw new DownloadError(`it was answered with ${response.status}`, response.status === 429 || response.status >= 500);
  }
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of response.body) {
    total += chunk.byteLength;
    if (total > maxBytes) throw new DownloadError(`it is larger than ${maxBytes} bytes`, false);
    chunks.push(chunk);
  }
  return concatenate(chunks);
}
