import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { type ByteReader, READER, streamOf } from '../streams/byte-reader.ts';

/** For servers that compress although they were not asked to. */
const DECODERS: Readonly<Record<string, () => NodeJS.ReadWriteStream>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/**
 * Fetches a small answer without web streams, `Request` and `Response`, which would take half of the time that a chat
 * call costs the gateway. Takes what the `openai` client passes to fetch, and follows no redirects. Failures are those of
 * fetch: a TypeError with its cause.
 */
export async function fetchSmall(dispatcher: Dispatcher, url: string, init: RequestInit): Promise<Response> {
  const { origin, pathname, search } = new URL(url);
  const answer = await dispatcher.request({
    origin,
    path: pathname + search,
    method: (init.method ?? 'GET').toUpperCase() as Dispatcher.HttpMethod,
    headers: Object.fromEntries(new Headers(init.headers)),
    body: (init.body as string | null | undefined) ?? null,
    signal: init.signal ?? null,
  });
  return new SmallResponse(url, answer) as unknown as Response;
}

/** What is used of a `Response`. */
class SmallResponse {
  readonly url: string;
  readonly status: number;
  readonly statusText = '';
  readonly ok: boolean;
  readonly #headers: Dispatcher.ResponseData['headers'];
  readonly #content: NodeJS.ReadableStream;
  #native: Headers | undefined;

  constructor(url: string, { statusCode, headers, body }: Dispatcher.ResponseData) {
    this.url = url;
    this.status = statusCode;
    this.ok = statusCode >= 200 && statusCode < 300;
    this.#headers = headers;
    const decode = DECODERS[String(headers['content-encoding'] ?? '').toLowerCase()];
    this.#content = decode ? body.on('error', () => {}).pipe(decode()) : body;
  }

  get headers(): Headers {
    this.#native ??= new Headers(
      Object.entries(this.#headers).flatMap(([name, value]) => [value ?? []].flat().map((one): [string, string] => [name, one])),
    );
    return this.#native;
  }

  /** Only for what reads errors: the client looks at it in any case, and a stream takes time. */
  get body(): ReadableStream<Uint8Array> | null {
    return this.ok ? null : streamOf(this[READER]());
  }

  [READER](): ByteReader {
    return readerOfNode(this.#content as Readable);
  }
}

function readerOfNode(content: Readable): ByteReader {
  const chunks = content[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  return {
    async read(into) {
      while (rest.byteLength === 0) {
        const next = await chunks.next().catch((cause: unknown) => {
          throw new TypeError('terminated', { cause });
        });
        if (next.done) return into.subarray(0, 0);
        rest = next.value;
      }
      const length = Math.min(into.byteLength, rest.byteLength);
      into.set(rest.subarray(0, length));
      rest = rest.subarray(length);
      return into.subarray(0, length);
    },
    async cancel() {
      content.destroy();
    },
  };
}
