import { GatewayError } from '../errors.ts';

const SECOND_MS = 1000;
/** A body of which nothing comes for so long will not come any more. */
const STALL_MS = 60 * SECOND_MS;

export type BodyOptions = Readonly<{
  /** How errors name who sends it. */
  service: string;
  /** Whether opening it again costs money. */
  paid: boolean;
  maxBytes: number;
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}>;

/** A body whose first bytes have been looked at, and which still has them all. */
export type OpenedBody = Readonly<{
  head: Uint8Array;
  stream: ReadableStream<Uint8Array>;
  /** `undefined` when the answer does not say, or is compressed and therefore says something else. */
  lengthBytes: number | undefined;
}>;

/**
 * Opens the body of an answer up to its first `headBytes` bytes. Reading from the stream throws an `upstream_answer`
 * failure when the body breaks off, ends before or after its declared length, is longer than `maxBytes`, or stalls.
 */
export async function openBody(response: Response, headBytes: number, options: BodyOptions): Promise<OpenedBody> {
  const lengthBytes = declaredLength(response.headers);
  const read = guardedReader(response.body ?? new Blob().stream(), lengthBytes, options);
  const waiting: Uint8Array[] = [];
  let seen = 0;
  while (seen < headBytes) {
    const chunk = await read.next();
    if (!chunk) break;
    waiting.push(chunk);
    seen += chunk.byteLength;
  }
  const head = new Uint8Array(await new Blob(waiting as Uint8Array<ArrayBuffer>[]).arrayBuffer());
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const chunk = waiting.shift() ?? (await read.next());
        if (chunk) controller.enqueue(chunk);
        else controller.close();
      },
      cancel: read.cancel,
    },
    { highWaterMark: 0 },
  );
  return { head, stream, lengthBytes };
}

function declaredLength(headers: Headers): number | undefined {
  const encoding = headers.get('content-encoding') ?? 'identity';
  const length = headers.get('content-length');
  return encoding === 'identity' && length !== null && /^\d+$/.test(length) ? Number(length) : undefined;
}

function guardedReader(body: ReadableStream<Uint8Array>, lengthBytes: number | undefined, { service, paid, maxBytes, sleep }: BodyOptions) {
  const reader = body.getReader();
  let total = 0;

  async function fail(problem: string, cause?: unknown): Promise<never> {
    const error = new GatewayError({ kind: 'upstream_answer', service, problem, paid }, { cause });
    // Not awaited: cancelling a body that has stalled may take as long as the body itself.
    reader.cancel(error).catch(() => {});
    throw error;
  }

  /** The next chunk, or `undefined` at the end. */
  async function next(): Promise<Uint8Array | undefined> {
    const arrived = new AbortController();
    const stalled = sleep(STALL_MS, arrived.signal).then(
      () => 'stalled' as const,
      () => 'arrived' as const,
    );
    const outcome = await Promise.race([reader.read().catch((cause: unknown) => ({ cause })), stalled]);
    arrived.abort();
    if (typeof outcome === 'string') return fail(`its body stalled for ${STALL_MS / SECOND_MS} s`);
    if ('cause' in outcome) return fail('its body broke off', outcome.cause);
    total += outcome.value?.byteLength ?? 0;
    if (total > maxBytes) return fail(`its body is larger than ${maxBytes} bytes`);
    if (lengthBytes !== undefined && total > lengthBytes) return fail(`its body is longer than the ${lengthBytes} bytes it declared`);
    if (outcome.done && lengthBytes !== undefined && total < lengthBytes)
      return fail(`its body ended after ${total} of ${lengthBytes} bytes`);
    return outcome.done ? undefined : outcome.value;
  }

  return { next, cancel: (reason: unknown) => reader.cancel(reason) };
}
