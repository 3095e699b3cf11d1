import { IMAGE_DOWNLOAD_TIMEOUT_MS, MAX_IMAGE_BYTES } from '../limits.ts';
import type { Clock } from '../ports.ts';
import { DownloadError, download } from './download.ts';
import { isPrivateHost } from './input-file.ts';

export type UpstreamImageOptions = Readonly<{
  runtime: Clock &
    Readonly<{
      fetch: (url: string, init: RequestInit) => Promise<Response>;
      /** Refuses private addresses, where the runtime could reach them. */
      fetchPublic: (url: string, init: RequestInit) => Promise<Response>;
    }>;
  /** Hosts that may have private addresses, each with its port unless that is the default. */
  allowedHosts: readonly string[];
}>;

const ATTEMPTS = 3;
const BACKOFF_MS = 1_000;
const MAX_REDIRECTS = 3;

/**
 * Downloads an image from a URL in an upstream's response. The image is already billed, so transient faults are retried
 * and a client disconnect does not cancel the download. Only allowed hosts may have private addresses, redirects
 * included. Throws a `DownloadError`, or what `fetch` throws.
 */
export async function downloadImage(url: string, options: UpstreamImageOptions): Promise<Uint8Array<ArrayBuffer>> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await downloadOnce(url, options);
    } catch (error) {
      const isFinal = error instanceof DownloadError && !error.transient;
      if (isFinal || attempt === ATTEMPTS) throw error;
      await options.runtime.sleep(BACKOFF_MS * attempt);
    }
  }
}

function downloadOnce(url: string, { runtime, allowedHosts }: UpstreamImageOptions): Promise<Uint8Array<ArrayBuffer>> {
  async function fetchChecked(target: string, init: RequestInit): Promise<Response> {
    let current = target;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const { host, hostname } = new URL(current);
      const isAllowed = allowedHosts.includes(host);
      if (!isAllowed && isPrivateHost(hostname))
        throw new DownloadError('it points to a private address (MCP_ALLOWED_DOWNLOAD_HOSTS)', false);
      const response = await (isAllowed ? runtime.fetch : runtime.fetchPublic)(current, { ...init, redirect: 'manual' });
      const location = response.headers.get('location');
      if (response.status < 300 || response.status >= 400 || location === null) return response;
      response.body?.cancel().catch(() => {});
      if (!URL.canParse(location, current)) throw new DownloadError('it redirects to an invalid URL', false);
      current = new URL(location, current).href;
    }
    throw new DownloadError(`it redirects more than ${MAX_REDIRECTS} times`, false);
  }
  return download(url, { clock: runtime, fetch: fetchChecked, maxBytes: MAX_IMAGE_BYTES, timeoutMs: IMAGE_DOWNLOAD_TIMEOUT_MS });
}
