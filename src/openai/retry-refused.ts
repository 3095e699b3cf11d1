const MAX_RETRIES = 2;
const MAX_WAIT_MS = 10_000;
const FIRST_BACKOFF_MS = 500;
const BODY_TIMEOUT_MS = 2_000;
/** Too many requests, and overloaded: the server says that it has not begun. Every other failure may have been charged. */
const REFUSED = new Set([429, 503]);

/**
 * A fetch that tries again when the server has refused to begin, waiting as long as it asks, but not when that is
 * longer than ten seconds: then the caller is told instead. Bodies must be strings or absent.
 */
export function retryRefused(
  fetch: typeof globalThis.fetch,
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>,
): typeof globalThis.fetch {
  return async (input, init) => {
    for (let retry = 0; ; retry++) {
      const response = await fetch(input, init);
      if (!REFUSED.has(response.status) || retry === MAX_RETRIES) return response;
      const seconds = retryAfterSeconds(response.headers);
      const waitMs = seconds === undefined ? FIRST_BACKOFF_MS * 2 ** retry : seconds * 1000;
      const isFinal = response.headers.get('x-should-retry') === 'false' || (await tellsOfQuota(response));
      if (waitMs > MAX_WAIT_MS || isFinal) return response;
      await response.body?.cancel();
      await sleep(waitMs, init?.signal ?? undefined);
    }
  };
}

/** An account without credit is refused with 429 as well, and waiting does not fill it. */
async function tellsOfQuota(response: Response): Promise<boolean> {
  const timeout = AbortSignal.timeout(BODY_TIMEOUT_MS);
  const timedOut = new Promise<string>((resolve) => timeout.addEventListener('abort', () => resolve(''), { once: true }));
  const text = await Promise.race([response.clone().text(), timedOut]).catch(() => '');
  return /insufficient_quota|billing_hard_limit/.test(text);
}

/**
 * The wait that `retry-after-ms` or `retry-after` (RFC 9110 section 10.2.3: seconds, or a date, which is read against
 * the answer's own clock) asks for, in whole seconds, or `undefined` when neither says.
 */
export function retryAfterSeconds(headers: Headers): number | undefined {
  const ms = Number.parseFloat(headers.get('retry-after-ms') ?? '');
  if (ms >= 0) return Math.ceil(ms / 1000);
  const text = headers.get('retry-after')?.trim();
  if (!text) return undefined;
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : (Date.parse(text) - Date.parse(headers.get('date') ?? '')) / 1000;
  return Number.isNaN(seconds) ? undefined : Math.max(0, Math.ceil(seconds));
}
